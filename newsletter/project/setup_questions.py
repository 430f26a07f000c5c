"""Questions of ``newsletter setup``: how they are asked and answered."""

import re
from dataclasses import dataclass
from typing import Any

from newsletter.config.error_messages import validate_setting
from newsletter.config.safe_yaml import INVALID_CHARACTER
from newsletter.config.scaffold_placeholders import has_reserved_domain
from newsletter.config.secrets import SENDGRID_KEY_PATTERN
from newsletter.project.yaml_edit import SettingPath, YamlScalar

PAGES = ("server", "static", "none")
REMOVE = "-"

Answer = YamlScalar | None


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one setting, or about where the pages are.

    Attributes:
        name: also that of its command-line option, without the hyphens in front.
        text: what is asked.
        key_path: the setting; empty if the answer decides about several.
        explanation: lines to print before the question; may be empty.
        is_optional: whether the setting may be removed.
        is_address: whether the answer is a URL or email address, which can't be an example.
        fallback: the setting's value if it is not in the file.
    """

    name: str
    text: str
    key_path: SettingPath = ()
    explanation: str = ""
    is_optional: bool = False
    is_address: bool = False
    fallback: Answer = None


# In the order in which they are asked: a default may depend on an earlier answer.
QUESTIONS = (
    Question("name", "Newsletter's name", ("name",)),
    Question("sender-name", "Sender name, as inboxes show it", ("sender", "name")),
    Question(
        "sender",
        "Sender address",
        ("sender", "address"),
        "Issues come from this address. It must be verified at SendGrid, best with its domain.",
        is_address=True,
    ),
    Question(
        "reply-to",
        "Reply-to address",
        ("sender", "reply_to"),
        is_optional=True,
        is_address=True,
    ),
    Question(
        "postal-address",
        "Postal address",
        ("postal_address",),
        "Shown in every issue's footer: required by law in many countries. "
        r"For several lines, type \n between them.",
    ),
    Question(
        "site",
        "Your website",
        ("site_url",),
        "Relative links in posts are resolved against it.",
        is_address=True,
    ),
    Question(
        "pages",
        "Pages: server, static or none",
        explanation="Where are your newsletter's web pages?\n"
        "  server  newsletter serve on a server of yours: sign-up, unsubscribe, issues\n"
        "  static  issues on a static web host; readers unsubscribe at SendGrid\n"
        "  none    no web pages; readers unsubscribe at SendGrid",
    ),
    Question("pages-url", "URL of these pages", is_address=True),
    Question(
        "unsubscribe-group",
        "Number of SendGrid's unsubscribe group",
        ("sendgrid", "asm_group"),
        "Create the group at SendGrid (Suppressions, Unsubscribe Groups): its number is its ID. "
        "It can be left out for now, but without it a send is refused.",
        is_optional=True,
    ),
    Question("time-zone", "Time zone", ("timezone",), fallback="UTC"),
    Question("language", "Language of your issues", ("language",), fallback="en"),
)


def parse_answer(question: Question, text: str) -> Answer:
    """Validate an answer as it was typed.

    Returns:
        The setting's value; ``None`` to remove it.

    Raises:
        ValueError: it is not valid; the message says why.
    """
    text = text.strip()
    if SENDGRID_KEY_PATTERN.search(text):
        raise ValueError(
            "this is a SendGrid API key: it belongs in the environment variable "
            "SENDGRID_API_KEY, never into newsletter.yml"
        )
    if INVALID_CHARACTER.search(text):
        raise ValueError("this contains a character that is not valid text")
    if text in {"", REMOVE}:
        if question.is_optional:
            return None
        raise ValueError("this can't be left out" if text else "this can't be empty")
    value = _convert(question, text)
    if question.is_address and has_reserved_domain(str(value)):
        raise ValueError(f"'{value}' is an example: give your own")
    return value


def format_answer(answer: Answer) -> str:
    r"""Format an answer on one line, as it can be typed: with ``\n`` between lines."""
    return str(answer).replace("\n", r"\n")


def make_static_patterns(url: str) -> dict[SettingPath, Answer]:
    """Return where ``newsletter archive`` puts an issue and its images on a static host."""
    return {
        ("issue_url",): f"{url}/issues/{{slug}}/",
        ("image_url",): f"{url}/issues/{{slug}}/{{file}}",
    }


def _convert(question: Question, text: str) -> YamlScalar:
    if question.name == "pages":
        if text.lower() not in PAGES:
            raise ValueError(f"'{text}' is not one of these: {', '.join(PAGES)}")
        return text.lower()
    if question.name == "pages-url":
        url = validate_setting(("public_url",), text)
        for key_path, pattern in make_static_patterns(url).items():
            validate_setting(key_path, pattern)
        return str(url)
    value: Any = text
    if question.name == "postal-address":
        value = text.replace(r"\n", "\n")
    elif question.name == "unsubscribe-group":
        if not re.fullmatch("[0-9]{1,9}", text):
            raise ValueError(f"'{text}' is not a number")
        value = int(text)
    validated: YamlScalar = validate_setting(question.key_path, value)
    return validated
