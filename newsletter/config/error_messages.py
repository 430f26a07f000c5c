"""Explain validation errors of newsletter.yml with line and example."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from newsletter.config.models import Config
from newsletter.config.safe_yaml import format_inline
from newsletter.config.yaml_document import KeyPath, YamlDocument
from newsletter.errors import Location, Problem

MAX_QUOTED_LENGTH = 60
EXPECTED_SCALARS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
# Text that YAML 1.1 reads as a number or a truth value unless it is in quotes
UNQUOTED_SCALAR_PATTERN = re.compile(r"[-+]?\d+(\.\d+)?|true|false|yes|no|on|off", re.IGNORECASE)
EXPECTED_TYPES = {
    **EXPECTED_SCALARS,
    "string_type": "text",
    "model_type": "a section, each setting on an indented line below",
    "dict_type": "a section, each setting on an indented line below",
    "tuple_type": "a list, each item on a line below that starts with '- '",
}


def explain_validation_error(
    error: pydantic.ValidationError,
    document: YamlDocument,
    path: str,
    env_variables: Mapping[KeyPath, str],
) -> list[Problem]:
    """Convert each validation error to a problem with its line.

    Args:
        error: pydantic's errors.
        document: the parsed file.
        path: the file's name, as the user would type it.
        env_variables: key path of a setting -> the environment variable that it came from.
    """
    return [
        _explain_error(details, document, path, _find_variable(details["loc"], env_variables))
        for details in error.errors(include_url=False)
    ]


def _find_variable(key_path: KeyPath, env_variables: Mapping[KeyPath, str]) -> str | None:
    """Return the variable that a setting, or the list that it is in, came from."""
    return next(
        (name for path, name in env_variables.items() if key_path[: len(path)] == path), None
    )


def validate_setting(key_path: tuple[str, ...], value: Any) -> Any:
    """Validate the value of one setting, and return it as the configuration has it.

    Raises:
        ValueError: the value is not valid; the message is that of the same mistake in the file.
    """
    model = _get_model(key_path[:-1])
    assert model is not None
    setting = model.model_fields[key_path[-1]]
    annotation: Any = Annotated[setting.annotation, setting]
    adapter = pydantic.TypeAdapter[Any](annotation)
    try:
        return adapter.validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)[0]
        raise ValueError(_describe_error(details, str(value))) from None


def _explain_error(
    details: ErrorDetails, document: YamlDocument, path: str, env_variable: str | None
) -> Problem:
    key_path = details["loc"]
    kind = details["type"]
    location = None if env_variable else Location(path, document.find_line(key_path))
    setting_name = env_variable or _format_key_path(key_path)
    if kind == "extra_forbidden":
        return Problem(
            f"unknown key '{_shorten(str(key_path[-1]))}'", location, _suggest_setting(key_path)
        )
    example = _format_example(key_path, env_variable)
    if kind == "missing":
        return Problem(f"'{setting_name}' is missing", location, example)
    source = document.raw_scalars.get(key_path, "") if not env_variable else ""
    return Problem(f"{setting_name}: {_describe_error(details, source)}", location, example)


def _describe_error(details: ErrorDetails, source: str) -> str:  # noqa: PLR0911 - one return per kind of error
    kind = details["type"]
    value = details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    quoted = f"'{_shorten(source or str(value))}'"
    if kind == "value_error":
        return str(context["error"])
    if value is None:
        return "the value is missing (an unquoted '#' starts a comment)"
    if kind == "string_pattern_mismatch":
        return f"{quoted} is not in the expected format"
    if kind == "literal_error":
        return f"this must be {context['expected']}, not {quoted}"
    if kind in EXPECTED_SCALARS and source:
        in_quotes = isinstance(value, str) and UNQUOTED_SCALAR_PATTERN.fullmatch(value)
        return (
            f"{quoted}{' in quotes is text,' if in_quotes else ' is'} not {EXPECTED_SCALARS[kind]}"
        )
    if kind == "string_type" and source:
        return f'this must be text; put quotes around it: "{_shorten(source)}"'
    if kind in EXPECTED_TYPES:
        return f"this must be {EXPECTED_TYPES[kind]}"
    # pydantic's messages for numbers and lengths are clear: "Input should be less than or equal
    # to 800"
    return re.sub("^(Input|String) should", "this must", details["msg"]).replace(
        "Tuple should", "the list must"
    )


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_QUOTED_LENGTH else text[:MAX_QUOTED_LENGTH] + "…"


def _format_key_path(key_path: KeyPath) -> str:
    """Format ``("footer_links", 0, "url")`` as ``footer_links[1].url``."""
    name = ""
    for part in key_path:
        if part != "[key]":  # pydantic's marker for an invalid key
            name += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".")


def _suggest_setting(key_path: KeyPath) -> str:
    key = str(key_path[-1])
    model = _get_model(key_path[:-1])
    known = list(model.model_fields) if model else []
    close_matches = get_close_matches(key.replace("-", "_"), known, n=1)
    if close_matches:
        return f"Did you mean '{close_matches[0]}'?"
    other_paths = [
        ".".join(setting_path)
        for setting_path in _iter_setting_paths(Config)
        if setting_path[-1] == key
    ]
    if other_paths:
        alternatives = "' or '".join(other_paths)
        return f"Did you mean '{alternatives}'?"
    return f"Valid keys: {', '.join(known)}."


def _format_example(key_path: KeyPath, env_variable: str | None) -> str:
    """Return ``Example: name: Harbour Notes``; empty if the setting has no example or default."""
    model = _get_model(key_path[:-1])
    setting = model.model_fields.get(str(key_path[-1])) if model and key_path else None
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
    return f"Example: {key_path[-1]}: {format_inline(value)}"


def _get_model(key_path: KeyPath) -> type[pydantic.BaseModel] | None:
    """Return the model of the section at ``key_path``; ``None`` if it is not a section."""
    model: type[pydantic.BaseModel] | None = Config
    for part in key_path:
        if isinstance(part, int):  # a list item: the list's field has already given the model
            continue
        setting = model.model_fields.get(part) if model else None
        model = get_section_model(setting) if setting else None
    return model


def get_section_model(setting: FieldInfo) -> type[pydantic.BaseModel] | None:
    """Return the model of a section or of a list of sections; ``None`` for a plain value."""
    for candidate in (setting.annotation, *get_args(setting.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, pydantic.BaseModel):
            return candidate
    return None


def _iter_setting_paths(model: type[pydantic.BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, setting in model.model_fields.items():
        yield (name,)
        inner = get_section_model(setting)
        if inner:
            yield from ((name, *rest) for rest in _iter_setting_paths(inner))
