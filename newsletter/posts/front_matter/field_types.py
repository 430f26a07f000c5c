"""Types of front matter values: text, lines, URLs, images, dates."""

import datetime
import re
import unicodedata
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field

LANGUAGE_TAG_PATTERN = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
TEMPLATE_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]*$"
_MAILBOX_PATTERN = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_MERGE_TAG_PATTERN = re.compile(r"\{\{.*?\}\}")


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


def accept_shorthand(key: str, model: type[BaseModel]) -> BeforeValidator:
    """Accept text as a mapping with the one key ``key``: ``hero: boat.jpg``."""
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value,
        json_schema_input_type=str | model,
    )


Scalar = str | int | float
FrontMatterLine = Annotated[str, BeforeValidator(_coerce_line, json_schema_input_type=Scalar)]
RequiredLine = Annotated[
    str, BeforeValidator(_coerce_line, json_schema_input_type=Scalar), Field(min_length=1)
]
FlowedText = Annotated[str, BeforeValidator(_collapse_whitespace, json_schema_input_type=Scalar)]
OptionalWebUrl = Annotated[str, BeforeValidator(_check_web_url, json_schema_input_type=str)]
LinkUrl = Annotated[
    str, BeforeValidator(_check_link_url, json_schema_input_type=str), Field(min_length=1)
]
LineWithoutTags = Annotated[
    str, BeforeValidator(_coerce_line_without_tags, json_schema_input_type=Scalar)
]
LanguageTag = Annotated[
    str,
    BeforeValidator(
        _coerce_line, json_schema_input_type=Annotated[str, Field(pattern=LANGUAGE_TAG_PATTERN)]
    ),
    Field(pattern=LANGUAGE_TAG_PATTERN),
]
TemplateName = Annotated[
    str,
    BeforeValidator(
        _coerce_line, json_schema_input_type=Annotated[str, Field(pattern=TEMPLATE_NAME_PATTERN)]
    ),
    Field(pattern=TEMPLATE_NAME_PATTERN),
]
Mailbox = Annotated[str, BeforeValidator(_check_mailbox, json_schema_input_type=str)]
ImageSource = Annotated[
    str, BeforeValidator(_check_image_source, json_schema_input_type=str), Field(min_length=1)
]
FrontMatterDate = Annotated[datetime.date, BeforeValidator(_parse_date, json_schema_input_type=str)]
TagList = Annotated[
    tuple[FrontMatterLine, ...],
    BeforeValidator(_split_tags, json_schema_input_type=str | tuple[Scalar, ...]),
]
