"""What pydantic found wrong, in the words of somebody who edits ``newsletter.yml``."""

import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

import pydantic
import yaml
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from newsletter.config.models import Config
from newsletter.config.yaml_document import Key, Tree
from newsletter.errors import Location, Problem

SHOWN_CHARACTERS = 60
SCALARS = {"int_type": "a whole number", "float_type": "a number", "bool_type": "true or false"}
PLAIN = re.compile(r"[-+]?\d+(\.\d+)?|true|false|yes|no|on|off", re.IGNORECASE)  # unless in quotes
SHAPES = {
    **SCALARS,
    "string_type": "text",
    "model_type": "settings of its own, each on an indented line below",
    "dict_type": "settings of its own, each on an indented line below",
    "tuple_type": "a list, each item on a line below that begins with '- '",
}


def explain(
    error: pydantic.ValidationError, document: Tree, path: str, overridden: Mapping[Key, str]
) -> list[Problem]:
    """Every error as a problem with its line.

    Args:
        error: what validation found.
        document: the file.
        path: the file's name, as the user would type it.
        overridden: place of a setting -> the environment variable that it came from.
    """
    return [
        _explained(details, document, path, overridden.get(details["loc"]))
        for details in error.errors(include_url=False)
    ]


def _explained(details: ErrorDetails, document: Tree, path: str, variable: str | None) -> Problem:
    place = details["loc"]
    kind = details["type"]
    where = None if variable else Location(path, document.line(place))
    name = variable or _dotted(place)
    if kind == "extra_forbidden":
        return Problem(f"unknown key '{_cut(str(place[-1]))}'", where, _nearest(place))
    example = _example(place, variable)
    if kind == "missing":
        return Problem(f"'{name}' is missing", where, example)
    source = document.source.get(place, "") if not variable else ""
    return Problem(f"{name}: {_complaint(details, source)}", where, example)


def _complaint(details: ErrorDetails, source: str) -> str:  # noqa: PLR0911 - one a kind of error
    kind = details["type"]
    given = details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    quoted = f"'{_cut(source or str(given))}'"
    if kind == "value_error":
        return str(context["error"])
    if given is None:
        return "there is no value (an unquoted '#' begins a comment)"
    if kind == "string_pattern_mismatch":
        return f"{quoted} has not the right form"
    if kind == "literal_error":
        return f"{quoted} is none of {context['expected']}"
    if kind in SCALARS and source:
        in_quotes = isinstance(given, str) and PLAIN.fullmatch(given)
        return f"{quoted}{' in quotes is text,' if in_quotes else ' is'} not {SCALARS[kind]}"
    if kind == "string_type" and source:
        return f'this must be text; put quotes around it: "{_cut(source)}"'
    if kind in SHAPES:
        return f"this must be {SHAPES[kind]}"
    # pydantic's words for numbers and lengths are good: "Input should be less than or equal to 800"
    return (
        details["msg"].replace("Input should", "this must").replace("Tuple should", "the list must")
    )


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def _dotted(place: Key) -> str:
    """``("footer_links", 0, "url")`` as ``footer_links[1].url``."""
    name = ""
    for part in place:
        if part != "[key]":  # pydantic's mark that the key itself is wrong
            name += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".")


def _nearest(place: Key) -> str:
    key = str(place[-1])
    model = _model_at(place[:-1])
    known = list(model.model_fields) if model else []
    near = get_close_matches(key.replace("-", "_"), known, n=1)
    if near:
        return f"Did you mean '{near[0]}'?"
    elsewhere = [".".join(path) for path in _every_setting(Config) if path[-1] == key]
    if elsewhere:
        return f"It belongs elsewhere: {' or '.join(elsewhere)}."
    return f"There are: {', '.join(known)}."


def _example(place: Key, variable: str | None) -> str:
    """``Example: name: Harbour Notes``, from the setting's examples or default; empty if none."""
    setting = _setting_at(place)
    if setting is None:
        return ""
    value = setting.examples[0] if setting.examples else setting.get_default()
    if (
        value is None
        or isinstance(value, pydantic.BaseModel | tuple)
        or repr(value).startswith("Pydantic")
    ):
        return ""
    if variable:
        return f"Example: {variable}={value}"
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=math.inf)
    text = text.removesuffix("...\n").strip()
    return f"Example: {place[-1]}: {text}"


def _setting_at(place: Key) -> FieldInfo | None:
    model = _model_at(place[:-1])
    return model.model_fields.get(str(place[-1])) if model and place else None


def _model_at(place: Key) -> type[pydantic.BaseModel] | None:
    """The model of the section at ``place``, or ``None`` where there is no section."""
    model: type[pydantic.BaseModel] | None = Config
    for part in place:
        if isinstance(part, int):  # an item: its list's field has named the model already
            continue
        setting = model.model_fields.get(part) if model else None
        model = section(setting) if setting else None
    return model


def section(setting: FieldInfo) -> type[pydantic.BaseModel] | None:
    """The model that a setting holds, itself or in a list; ``None`` for a plain value."""
    for kind in (setting.annotation, *get_args(setting.annotation)):
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            return kind
    return None


def _every_setting(model: type[pydantic.BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, setting in model.model_fields.items():
        yield (name,)
        inner = section(setting)
        if inner:
            yield from ((name, *rest) for rest in _every_setting(inner))
