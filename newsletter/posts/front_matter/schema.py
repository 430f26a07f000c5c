"""The settings that a post's front matter may hold: checked, all problems at once."""

import datetime
import re
import unicodedata
from difflib import get_close_matches
from typing import Annotated, Any
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import ErrorDetails

from newsletter.config.public_site import Listing
from newsletter.errors import Location, PostError, Problem
from newsletter.posts.front_matter.parse import FrontMatter

LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
_MAILBOX = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_TAG = re.compile(r"\{\{.*?\}\}")
# Keys of other tools that are near one of ours but are not meant to be it.
_OTHERS = frozenset({"authors", "tag", "titles", "headers", "dates"})
_WANTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "model_type": "settings of its own, each on an indented line below",
    "string_type": "text",
    "tuple_type": "a list, each item on a line below that begins with '- '",
}


def _text(value: object) -> object:
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _line(value: object) -> object:
    value = _text(value)
    if isinstance(value, str) and any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in value):
        raise ValueError("must be one line, without control characters")
    return value


def _fixed_line(value: object) -> object:
    value = _line(value)
    if isinstance(value, str) and "{{" in value:
        raise ValueError("is the same for every reader: it can hold no merge tag")
    return value


def _prose(value: object) -> object:
    value = _text(value)
    return " ".join(value.split()) if isinstance(value, str) else value


def _web_address(value: object) -> object:
    value = _line(value)
    if isinstance(value, str) and value and not _is_web_address(value):
        raise ValueError(f"must be an address that begins with https://, not '{value}'")
    return value


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return (
        parts.scheme.lower() in {"http", "https"}
        and bool(parts.netloc)
        and {" ", "{"}.isdisjoint(value)
    )


def _target(value: object) -> object:
    value = _line(value)
    if not isinstance(value, str) or value.lower().startswith("mailto:"):
        return value
    if not _TAG.fullmatch(value):
        _web_address(_TAG.sub("", value))
    return value


def _picture_source(value: object) -> object:
    value = _line(value)
    if isinstance(value, str):
        bare = _TAG.sub("", value)
        beside = "//" not in bare and ":" not in bare
        if not (beside or _is_web_address(bare)):
            raise ValueError(
                f"must be a file beside the post or begin with https://, not '{value}'"
            )
    return value


def _mailbox(value: object) -> object:
    value = _fixed_line(value)
    if isinstance(value, str) and value and not _MAILBOX.fullmatch(value):
        raise ValueError(f"must be one email address, not '{value}'")
    return value


def _day(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, str):
        try:
            return datetime.datetime.fromisoformat(value.strip()).date()
        except ValueError:
            raise ValueError(f"must be a day like 2026-11-22, not '{value}'") from None
    if isinstance(value, datetime.date):
        return value
    raise ValueError(f"must be a day like 2026-11-22, not '{value}'")


def _labels(value: object) -> object:
    return (
        [label.strip() for label in value.split(",") if label.strip()]
        if isinstance(value, str)
        else value
    )


def _short(key: str) -> BeforeValidator:
    """Let text stand for a mapping with one key: ``hero: boat.jpg``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


Line = Annotated[str, BeforeValidator(_line)]
FilledLine = Annotated[str, BeforeValidator(_line), Field(min_length=1)]
Prose = Annotated[str, BeforeValidator(_prose)]
WebAddress = Annotated[str, BeforeValidator(_web_address)]
Target = Annotated[str, BeforeValidator(_target), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PictureField(_Part):
    """A picture: its path or URL, or a mapping."""

    src: Annotated[str, BeforeValidator(_picture_source), Field(min_length=1)]
    alt: Prose = ""
    caption: Prose = ""


PictureValue = Annotated[PictureField, _short("src")]


class AuthorField(_Part):
    """An author: a name, or a mapping."""

    name: FilledLine
    bio: Prose = ""
    url: WebAddress = ""
    picture: PictureValue | None = None


class ButtonField(_Part):
    """The call to action."""

    text: FilledLine
    url: Target


class CardField(_Part):
    """One piece of further reading."""

    title: FilledLine
    url: Target
    text: Prose = ""
    picture: PictureValue | None = None


class Fields(BaseModel):
    """The front matter, validated; empty where it says nothing. Other tools' keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: Line = Field(default="", examples=["Spring in the harbour"])
    subject: Line = Field(default="", examples=["The boats are back"])
    preheader: Prose = Field(default="", examples=["And so is the fog."])
    description: Prose = ""
    summary: Prose = ""
    excerpt: Prose = ""
    author: Annotated[AuthorField, _short("name")] | None = Field(
        default=None, examples=["Ada Berg"]
    )
    date: Annotated[datetime.date, BeforeValidator(_day)] | None = Field(
        default=None, examples=["2026-11-22"]
    )
    canonical_url: WebAddress = Field(default="", examples=["https://example.com/spring"])
    language: Annotated[Line, Field(pattern=LANGUAGE)] | None = Field(default=None, examples=["en"])
    tags: Annotated[tuple[Line, ...], BeforeValidator(_labels)] = Field(
        default=(), examples=["[boats, spring]"]
    )
    number: int | None = Field(default=None, ge=0, examples=["12"])
    draft: bool = Field(default=False, examples=["true"])
    sender_name: Annotated[str, BeforeValidator(_fixed_line)] = Field(
        default="", examples=["Ada at Harbour Notes"]
    )
    reply_to: Annotated[str, BeforeValidator(_mailbox)] = Field(
        default="", examples=["ada@example.com"]
    )
    template: Annotated[Line, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = Field(
        default=None, examples=["plain"]
    )
    hero: PictureValue | None = Field(default=None, examples=["boat.jpg"])
    button: ButtonField | None = Field(
        default=None, examples=["{text: Read on, url: https://example.com}"]
    )
    further: tuple[CardField, ...] = Field(
        default=(), examples=["[{title: Knots, url: https://example.com/knots}]"]
    )
    archive: Listing | None = Field(default=None, examples=["unlisted"])
    allow: Any = None


def read_fields(front: FrontMatter, path: str) -> Fields:
    """Check the front matter of a post.

    Args:
        front: as it was split off.
        path: its file, for messages.

    Raises:
        PostError: settings that are wrong, and keys that look like misspelt ones; all at once.
    """
    names = {key.lower().replace("-", "_"): key for key in front.data}
    problems = [
        Problem(
            f"unknown key '{key}'",
            Location(path, front.lines.get(key)),
            f"Did you mean '{near[0]}'? Other unknown keys are ignored; this one looks misspelt.",
        )
        for name, key in names.items()
        if name not in Fields.model_fields
        and name not in _OTHERS
        and (near := get_close_matches(name, Fields.model_fields, n=1, cutoff=0.8))
    ]
    settings = {name: front.data[key] for name, key in names.items()}
    try:
        fields = Fields.model_validate({k: v for k, v in settings.items() if v is not None})
    except pydantic.ValidationError as error:
        for details in error.errors(include_url=False):
            key = names[str(details["loc"][0])]
            problems.append(_explained(details, Location(path, front.lines.get(key))))
    if problems:
        raise PostError.from_problems(sorted(problems, key=_line_number))
    return fields


def _line_number(problem: Problem) -> int:
    return (problem.where and problem.where.line) or 0


def _explained(details: ErrorDetails, where: Location) -> Problem:
    key, *inner = (part for part in details["loc"] if part != "[key]")
    name = str(key) + "".join(
        f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in inner
    )
    kind = details["type"]
    example = Fields.model_fields[str(key)].examples
    remedy = f"Example: {key}: {example[0]}" if example else ""
    if kind == "extra_forbidden":
        return Problem(f"'{name}' is no setting of {key}", where, remedy)
    if kind == "missing":
        return Problem(f"'{name}' is missing", where, remedy)
    if kind == "value_error":
        return Problem(f"{name} {details['ctx']['error']}", where, remedy)
    wanted = _WANTED.get(kind)
    words = f"must be {wanted}" if wanted else details["msg"].replace("Input should", "must")
    return Problem(f"{name} {words}", where, remedy)
