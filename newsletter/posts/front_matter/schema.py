"""Front matter settings: allowed keys, their values, validation errors."""

import datetime
import re
import unicodedata
from difflib import get_close_matches
from typing import Annotated, Any
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import ErrorDetails

from newsletter.config.public_site import ArchiveListing
from newsletter.errors import Location, PostError, Problem
from newsletter.posts.front_matter.parse import FrontMatter

LANGUAGE_TAG_PATTERN = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
_MAILBOX_PATTERN = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_MERGE_TAG_PATTERN = re.compile(r"\{\{.*?\}\}")
# Keys of other tools that look like misspelt keys of ours.
_FOREIGN_KEYS = frozenset({"authors", "tag", "titles", "headers", "dates"})
_EXPECTED_TYPES = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "model_type": "a section, each setting on an indented line below",
    "string_type": "text",
    "tuple_type": "a list, each item on a line below that starts with '- '",
}


def _coerce_text(value: object) -> object:
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _coerce_line(value: object) -> object:
    value = _coerce_text(value)
    if isinstance(value, str) and any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in value):
        raise ValueError("must be one line, without control characters")
    return value


def _coerce_line_without_tags(value: object) -> object:
    value = _coerce_line(value)
    if isinstance(value, str) and "{{" in value:
        raise ValueError("is the same for every reader: it can't contain a merge tag")
    return value


def _collapse_whitespace(value: object) -> object:
    value = _coerce_text(value)
    return " ".join(value.split()) if isinstance(value, str) else value


def _check_web_url(value: object) -> object:
    value = _coerce_line(value)
    if isinstance(value, str) and value and not _is_web_url(value):
        raise ValueError(f"must be a URL that begins with https://, not '{value}'")
    return value


def _is_web_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return (
        parts.scheme.lower() in {"http", "https"}
        and bool(parts.netloc)
        and {" ", "{"}.isdisjoint(value)
    )


def _check_link_url(value: object) -> object:
    value = _coerce_line(value)
    if not isinstance(value, str) or value.lower().startswith("mailto:"):
        return value
    if not _MERGE_TAG_PATTERN.fullmatch(value):
        _check_web_url(_MERGE_TAG_PATTERN.sub("", value))
    return value


def _check_image_source(value: object) -> object:
    value = _coerce_line(value)
    if isinstance(value, str):
        without_tags = _MERGE_TAG_PATTERN.sub("", value)
        is_relative = "//" not in without_tags and ":" not in without_tags
        if not (is_relative or _is_web_url(without_tags)):
            raise ValueError(
                f"must be a file beside the post or begin with https://, not '{value}'"
            )
    return value


def _check_mailbox(value: object) -> object:
    value = _coerce_line_without_tags(value)
    if isinstance(value, str) and value and not _MAILBOX_PATTERN.fullmatch(value):
        raise ValueError(f"must be one email address, not '{value}'")
    return value


def _parse_date(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, str):
        try:
            return datetime.datetime.fromisoformat(value.strip()).date()
        except ValueError:
            raise ValueError(f"must be a date like 2026-11-22, not '{value}'") from None
    if isinstance(value, datetime.date):
        return value
    raise ValueError(f"must be a date like 2026-11-22, not '{value}'")


def _split_tags(value: object) -> object:
    return (
        [label.strip() for label in value.split(",") if label.strip()]
        if isinstance(value, str)
        else value
    )


def _accept_shorthand(key: str) -> BeforeValidator:
    """Accept text as a mapping with the one key ``key``: ``hero: boat.jpg``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


FrontMatterLine = Annotated[str, BeforeValidator(_coerce_line)]
RequiredLine = Annotated[str, BeforeValidator(_coerce_line), Field(min_length=1)]
FlowedText = Annotated[str, BeforeValidator(_collapse_whitespace)]
OptionalWebUrl = Annotated[str, BeforeValidator(_check_web_url)]
LinkUrl = Annotated[str, BeforeValidator(_check_link_url), Field(min_length=1)]


class _NestedModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageField(_NestedModel):
    """An image: its path or URL, or a mapping."""

    src: Annotated[str, BeforeValidator(_check_image_source), Field(min_length=1)]
    alt: FlowedText = ""
    caption: FlowedText = ""


ImageShorthand = Annotated[ImageField, _accept_shorthand("src")]


class AuthorField(_NestedModel):
    """An author: a name, or a mapping."""

    name: RequiredLine
    bio: FlowedText = ""
    url: OptionalWebUrl = ""
    picture: ImageShorthand | None = None


class ButtonField(_NestedModel):
    """The call to action."""

    text: RequiredLine
    url: LinkUrl


class CardField(_NestedModel):
    """A card for further reading."""

    title: RequiredLine
    url: LinkUrl
    text: FlowedText = ""
    picture: ImageShorthand | None = None


class FrontMatterFields(BaseModel):
    """Validated front matter; unset fields are empty. Other tools' keys are ignored.

    At import such keys are moved to ``extra`` (see ``newsletter.posts.importing.settings``).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: FrontMatterLine = Field(default="", examples=["Spring in the harbour"])
    subject: FrontMatterLine = Field(default="", examples=["The boats are back"])
    preheader: FlowedText = Field(default="", examples=["And so is the fog."])
    description: FlowedText = ""
    summary: FlowedText = ""
    excerpt: FlowedText = ""
    author: Annotated[AuthorField, _accept_shorthand("name")] | None = Field(
        default=None, examples=["Ada Berg"]
    )
    date: Annotated[datetime.date, BeforeValidator(_parse_date)] | None = Field(
        default=None, examples=["2026-11-22"]
    )
    canonical_url: OptionalWebUrl = Field(default="", examples=["https://example.com/spring"])
    language: Annotated[FrontMatterLine, Field(pattern=LANGUAGE_TAG_PATTERN)] | None = Field(
        default=None, examples=["en"]
    )
    tags: Annotated[tuple[FrontMatterLine, ...], BeforeValidator(_split_tags)] = Field(
        default=(), examples=["[boats, spring]"]
    )
    number: int | None = Field(default=None, ge=0, examples=["12"])
    draft: bool = Field(default=False, examples=["true"])
    sender_name: Annotated[str, BeforeValidator(_coerce_line_without_tags)] = Field(
        default="", examples=["Ada at Harbour Notes"]
    )
    reply_to: Annotated[str, BeforeValidator(_check_mailbox)] = Field(
        default="", examples=["ada@example.com"]
    )
    template: Annotated[FrontMatterLine, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = Field(
        default=None, examples=["plain"]
    )
    hero: ImageShorthand | None = Field(default=None, examples=["boat.jpg"])
    button: ButtonField | None = Field(
        default=None, examples=["{text: Read on, url: https://example.com}"]
    )
    further: tuple[CardField, ...] = Field(
        default=(), examples=["[{title: Knots, url: https://example.com/knots}]"]
    )
    archive: ArchiveListing | None = Field(default=None, examples=["unlisted"])
    allow: Any = None
    extra: Any = None  # free content, accepted and unused


def validate_front_matter(front_matter: FrontMatter, path: str) -> FrontMatterFields:
    """Validate the front matter of a post.

    Args:
        front_matter: the parsed front matter.
        path: its file, for messages.

    Raises:
        PostError: all invalid settings, and all keys that look misspelt.
    """
    names = {key.lower().replace("-", "_"): key for key in front_matter.data}
    problems = [
        Problem(
            f"unknown key '{key}'",
            Location(path, front_matter.lines.get(key)),
            f"Did you mean '{close_matches[0]}'? Other unknown keys are ignored; this one looks "
            "misspelt.",
        )
        for name, key in names.items()
        if name not in FrontMatterFields.model_fields
        and name not in _FOREIGN_KEYS
        and (
            close_matches := get_close_matches(
                name, FrontMatterFields.model_fields, n=1, cutoff=0.8
            )
        )
    ]
    settings = {name: front_matter.data[key] for name, key in names.items()}
    try:
        fields = FrontMatterFields.model_validate(
            {field_name: value for field_name, value in settings.items() if value is not None}
        )
    except pydantic.ValidationError as error:
        for details in error.errors(include_url=False):
            key = names[str(details["loc"][0])]
            problems.append(
                _explain_field_error(details, Location(path, front_matter.lines.get(key)))
            )
    if problems:
        raise PostError.from_problems(sorted(problems, key=_get_line_number))
    return fields


def _get_line_number(problem: Problem) -> int:
    return (problem.where and problem.where.line) or 0


def _explain_field_error(details: ErrorDetails, where: Location) -> Problem:
    key, *inner = (part for part in details["loc"] if part != "[key]")
    name = str(key) + "".join(
        f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in inner
    )
    kind = details["type"]
    example = FrontMatterFields.model_fields[str(key)].examples
    remedy = f"Example: {key}: {example[0]}" if example else ""
    if kind == "extra_forbidden":
        return Problem(f"unknown key '{name}'", where, remedy)
    if kind == "missing":
        return Problem(f"'{name}' is missing", where, remedy)
    if kind == "value_error":
        return Problem(f"{name} {details['ctx']['error']}", where, remedy)
    expected = _EXPECTED_TYPES.get(kind)
    message = f"must be {expected}" if expected else details["msg"].replace("Input should", "must")
    return Problem(f"{name} {message}", where, remedy)
