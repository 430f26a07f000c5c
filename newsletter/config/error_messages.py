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
from newsletter.config.yaml_document import KeyPath, YamlDocument
from newsletter.errors import Location, Problem

MAX_QUOTED_LENGTH = 60
EXPECTED_SCALARS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
UNQUOTED_SCALAR_PATTERN = re.compile(
    r"[-+]?\d+(\.\d+)?|true|false|yes|no|on|off", re.IGNORECASE
)  # unless in quotes
EXPECTED_TYPES = {
    **EXPECTED_SCALARS,
    "string_type": "text",
    "model_type": "settings of its own, each on an indented line below",
    "dict_type": "settings of its own, each on an indented line below",
    "tuple_type": "a list, each item on a line below that begins with '- '",
}


def explain_validation_error(
    error: pydantic.ValidationError,
    document: YamlDocument,
    path: str,
    env_variables: Mapping[KeyPath, str],
) -> list[Problem]:
    """Every error as a problem with its line.

    Args:
        error: what validation found.
        document: the file.
        path: the file's name, as the user would type it.
        env_variables: place of a setting -> the environment variable that it came from.
    """
    return [
        _explain_error(details, document, path, env_variables.get(details["loc"]))
        for details in error.errors(include_url=False)
    ]


def _explain_error(
    details: ErrorDetails, document: YamlDocument, path: str, env_variable: str | None
) -> Problem:
    place = details["loc"]
    kind = details["type"]
    where = None if env_variable else Location(path, document.find_line(place))
    name = env_variable or _format_key_path(place)
    if kind == "extra_forbidden":
        return Problem(f"unknown key '{_shorten(str(place[-1]))}'", where, _suggest_setting(place))
    example = _format_example(place, env_variable)
    if kind == "missing":
        return Problem(f"'{name}' is missing", where, example)
    source = document.raw_scalars.get(place, "") if not env_variable else ""
    return Problem(f"{name}: {_describe_error(details, source)}", where, example)


def _describe_error(details: ErrorDetails, source: str) -> str:  # noqa: PLR0911 - one a kind of error
    kind = details["type"]
    given = details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    quoted = f"'{_shorten(source or str(given))}'"
    if kind == "value_error":
        return str(context["error"])
    if given is None:
        return "there is no value (an unquoted '#' begins a comment)"
    if kind == "string_pattern_mismatch":
        return f"{quoted} has not the right form"
    if kind == "literal_error":
        return f"{quoted} is none of {context['expected']}"
    if kind in EXPECTED_SCALARS and source:
        in_quotes = isinstance(given, str) and UNQUOTED_SCALAR_PATTERN.fullmatch(given)
        return (
            f"{quoted}{' in quotes is text,' if in_quotes else ' is'} not {EXPECTED_SCALARS[kind]}"
        )
    if kind == "string_type" and source:
        return f'this must be text; put quotes around it: "{_shorten(source)}"'
    if kind in EXPECTED_TYPES:
        return f"this must be {EXPECTED_TYPES[kind]}"
    # pydantic's words for numbers and lengths are good: "Input should be less than or equal to 800"
    return (
        details["msg"].replace("Input should", "this must").replace("Tuple should", "the list must")
    )


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_QUOTED_LENGTH else text[:MAX_QUOTED_LENGTH] + "…"


def _format_key_path(key_path: KeyPath) -> str:
    """``("footer_links", 0, "url")`` as ``footer_links[1].url``."""
    name = ""
    for part in key_path:
        if part != "[key]":  # pydantic's mark that the key itself is wrong
            name += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".")


def _suggest_setting(key_path: KeyPath) -> str:
    key = str(key_path[-1])
    model = _get_model(key_path[:-1])
    known = list(model.model_fields) if model else []
    near = get_close_matches(key.replace("-", "_"), known, n=1)
    if near:
        return f"Did you mean '{near[0]}'?"
    elsewhere = [".".join(path) for path in _iter_setting_paths(Config) if path[-1] == key]
    if elsewhere:
        return f"It belongs elsewhere: {' or '.join(elsewhere)}."
    return f"There are: {', '.join(known)}."


def _format_example(key_path: KeyPath, env_variable: str | None) -> str:
    """``Example: name: Harbour Notes``, from the setting's examples or default; empty if none."""
    setting = _get_setting(key_path)
    if setting is None:
        return ""
    value = setting.examples[0] if setting.examples else setting.get_default()
    if (
        value is None
        or isinstance(value, pydantic.BaseModel | tuple)
        or repr(value).startswith("Pydantic")
    ):
        return ""
    if env_variable:
        return f"Example: {env_variable}={value}"
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=math.inf)
    text = text.removesuffix("...\n").strip()
    return f"Example: {key_path[-1]}: {text}"


def _get_setting(key_path: KeyPath) -> FieldInfo | None:
    model = _get_model(key_path[:-1])
    return model.model_fields.get(str(key_path[-1])) if model and key_path else None


def _get_model(key_path: KeyPath) -> type[pydantic.BaseModel] | None:
    """The model of the section at ``place``, or ``None`` where there is no section."""
    model: type[pydantic.BaseModel] | None = Config
    for part in key_path:
        if isinstance(part, int):  # an item: its list's field has named the model already
            continue
        setting = model.model_fields.get(part) if model else None
        model = get_section_model(setting) if setting else None
    return model


def get_section_model(setting: FieldInfo) -> type[pydantic.BaseModel] | None:
    """The model that a setting holds, itself or in a list; ``None`` for a plain value."""
    for kind in (setting.annotation, *get_args(setting.annotation)):
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            return kind
    return None


def _iter_setting_paths(model: type[pydantic.BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, setting in model.model_fields.items():
        yield (name,)
        inner = get_section_model(setting)
        if inner:
            yield from ((name, *rest) for rest in _iter_setting_paths(inner))
