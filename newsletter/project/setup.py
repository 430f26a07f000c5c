"""What newsletter.yml answers already, and what new answers change.

Nothing here reads or writes a file: the command in ``newsletter.cli.project.setup`` does.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from newsletter.config.error_messages import validate_setting
from newsletter.config.load import ConfigCheck
from newsletter.config.scaffold_placeholders import has_reserved_domain
from newsletter.errors import ConfigError, Problem, UsageError
from newsletter.project.setup_questions import (
    QUESTIONS,
    Answer,
    Question,
    make_static_patterns,
)
from newsletter.project.yaml_edit import SettingPath

_PAGE_SETTINGS: tuple[SettingPath, ...] = (("public_url",), ("issue_url",), ("image_url",))


@dataclass(frozen=True, slots=True)
class PresentSettings:
    """What newsletter.yml answers already.

    Attributes:
        answers: question -> its answer, if that is valid and not an example.
        rejected: question -> the mistake in the file, or ``None`` for an example to be replaced.
        used: settings that have a value, valid or not.
    """

    answers: Mapping[str, Answer]
    rejected: Mapping[str, Problem | None]
    used: frozenset[SettingPath]


def read_present_settings(check: ConfigCheck) -> PresentSettings:
    """Read the answers that newsletter.yml has.

    Raises:
        ConfigError: there are mistakes that no question is about.
    """
    mistakes: dict[str, Problem | None] = {}
    others = []
    for key_path, problem in check.problems:
        names = _find_questions(key_path, check.document.data)
        mistakes.update(dict.fromkeys(names, problem))
        if not names:
            others.append(problem)
    if others:
        raise ConfigError.from_problems(others)
    data = check.document.data
    used = frozenset(
        path
        for path in (*(question.key_path for question in QUESTIONS), *_PAGE_SETTINGS)
        if path and _get_value(data, path) is not None
    )
    answers: dict[str, Answer] = {
        question.name: validate_setting(question.key_path, _get_value(data, question.key_path))
        for question in QUESTIONS
        if question.key_path in used and question.name not in mistakes
    }
    answers["pages"] = _find_pages(used)
    if answers["pages"] != "none" and "pages-url" not in mistakes:
        answers["pages-url"] = _find_pages_url(data) or answers.get("site")
    examples = {
        question.name
        for question in QUESTIONS
        if question.is_address and has_reserved_domain(str(answers.get(question.name)))
    }
    return PresentSettings(
        {name: answer for name, answer in answers.items() if name not in examples},
        {**mistakes, **dict.fromkeys(examples, None)},
        used,
    )


def collect_answers(
    given: Mapping[str, Answer],
    present: PresentSettings,
    ask: Callable[[Question, Answer], Answer],
) -> dict[str, Answer]:
    """Return the answers to all questions that make sense after the earlier answers.

    Args:
        given: answers that are not asked for.
        present: what newsletter.yml has.
        ask: returns the answer to a question, given its default (``None`` if there is none).

    Raises:
        UsageError: a given answer has no question.
    """
    answers: dict[str, Answer] = {}
    for question in QUESTIONS:
        name = question.name
        if not _is_asked(question, answers, present):
            if name in given:
                raise UsageError(f"--{name} is not used with --pages {answers['pages']}")
        elif name in given:
            answers[name] = given[name]
        else:
            answers[name] = ask(question, _find_default(question, answers, present))
    return answers


def keep_answers(
    given: Mapping[str, Answer], present: PresentSettings
) -> tuple[dict[str, Answer], list[str]]:
    """Return the answers without asking, and the names of the questions that have none.

    Raises:
        UsageError: a given answer has no question.
    """
    missing = []

    def keep(question: Question, default: Answer) -> Answer:
        if question.name in present.rejected or (default is None and not question.is_optional):
            missing.append(question.name)
        return default

    return collect_answers(given, present, keep), missing


def plan_changes(
    answers: Mapping[str, Answer], present: PresentSettings
) -> dict[SettingPath, Answer]:
    """Return the settings that the answers change, with their new values; ``None`` removes one."""
    changes: dict[SettingPath, Answer] = {}
    for question in QUESTIONS:
        if question.name == "pages":
            changes.update(_plan_pages(answers, present))
        elif (
            question.name in answers
            and question.key_path
            and (
                question.name in present.rejected
                or answers[question.name] != present.answers.get(question.name, question.fallback)
            )
        ):
            changes[question.key_path] = answers[question.name]
    return {
        key_path: value
        for key_path, value in changes.items()
        if value is not None or key_path in present.used
    }


def _is_asked(question: Question, answers: Mapping[str, Answer], present: PresentSettings) -> bool:
    if question.name == "pages-url":
        return answers["pages"] != "none"
    if question.name == "unsubscribe-group":
        return answers["pages"] != "server" or question.name in present.rejected
    return True


def _find_default(
    question: Question, answers: Mapping[str, Answer], present: PresentSettings
) -> Answer:
    default = present.answers.get(question.name, question.fallback)
    if question.name == "sender-name" and default in {None, present.answers.get("name")}:
        return answers["name"]  # it follows the newsletter's name
    if question.name == "pages-url" and answers["pages"] != present.answers["pages"]:
        return None
    return default


def _find_questions(key_path: tuple[str | int, ...], data: Any) -> list[str]:
    """Return the questions about a setting, or about a section that is missing altogether."""
    if key_path in _PAGE_SETTINGS:
        return ["pages-url"]
    is_missing = bool(key_path) and _get_value(data, key_path) is None
    return [
        question.name
        for question in QUESTIONS
        if (key_path and question.key_path == key_path)
        or (is_missing and question.key_path[:-1] == key_path and not question.is_optional)
    ]


def _get_value(data: Any, key_path: tuple[str | int, ...]) -> Any:
    for key in key_path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _find_pages(used: frozenset[SettingPath]) -> str:
    if ("public_url",) in used:
        return "server"
    return "static" if used.intersection(_PAGE_SETTINGS) else "none"


def _find_pages_url(data: Any) -> str | None:
    """Return the URL of the server, or that of the static host which the patterns begin with."""
    if data.get("public_url"):
        return str(validate_setting(("public_url",), data["public_url"]))
    pattern = str(data.get("issue_url") or data.get("image_url"))
    url = pattern.partition("{slug}")[0].rstrip("/").removesuffix("/issues")
    try:
        return str(validate_setting(("public_url",), url))
    except ValueError:  # the folder's name is in the host's
        return None


def _plan_pages(
    answers: Mapping[str, Answer], present: PresentSettings
) -> Iterator[tuple[SettingPath, Answer]]:
    pages, url = answers["pages"], answers.get("pages-url")
    was_static = present.answers["pages"] == "static"
    if pages == present.answers["pages"] and url == present.answers.get("pages-url"):
        return
    if pages == "none":
        yield from ((key_path, None) for key_path in _PAGE_SETTINGS)
    elif pages == "server":
        yield ("public_url",), url
        if was_static or "pages-url" in present.rejected:
            yield from ((key_path, None) for key_path in _PAGE_SETTINGS[1:])
    else:
        yield ("public_url",), None
        yield from make_static_patterns(str(url)).items()
