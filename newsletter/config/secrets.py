"""Find secrets in newsletter.yml, and redact them in error messages."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from newsletter.config.yaml_document import YamlDocument, YamlProblem
from newsletter.errors import Problem
from newsletter.url_secrets import mask_url_secrets

SENDGRID_KEY_PATTERN = re.compile(r"\bSG\.[\w-]{8,}(?:\.[\w-]+)?")


def iter_api_key_problems(text: str) -> Iterator[YamlProblem]:
    """Yield a problem for each line, comments included, with what looks like a SendGrid API key."""
    for number, line in enumerate(text.splitlines(), 1):
        if SENDGRID_KEY_PATTERN.search(line):
            yield YamlProblem(
                number,
                "this line contains a SendGrid API key",
                "Remove it, revoke it at SendGrid if anybody else may have seen this file, and "
                "set the new one in the environment variable SENDGRID_API_KEY.",
            )


def iter_password_problems(document: YamlDocument) -> Iterator[YamlProblem]:
    """Yield a problem if the database URL contains a password."""
    url = document.raw_scalars.get(("database",), "")
    if has_password(url):
        yield YamlProblem(
            document.find_line(("database",)),
            "the database URL contains a password",
            "Remove the password here, and set the full URL in the environment variable "
            "NEWSLETTER_DATABASE (or the password in PGPASSWORD).",
        )


def has_password(url: str) -> bool:
    """Whether a database URL contains a password, before the host or in its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "@" in url
    return parts.password is not None or "password" in parse_qs(parts.query)


def redact_secrets(problem: Problem) -> Problem:
    """Return ``problem`` without the API keys and the secrets of URLs that it may quote."""
    return problem._replace(message=_redact(problem.message), remedy=_redact(problem.remedy))


def _redact(text: str) -> str:
    return SENDGRID_KEY_PATTERN.sub("SG.…", mask_url_secrets(text))
