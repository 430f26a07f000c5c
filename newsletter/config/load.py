"""Load newsletter.yml and report all its problems at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from newsletter.config import error_messages, secrets, yaml_document
from newsletter.config.models import Config
from newsletter.errors import ConfigError, Location, Problem, display_path

MAX_BYTES = 256_000

# environment variable -> key path of the setting that it overrides
ENV_OVERRIDES: dict[str, yaml_document.KeyPath] = {
    "SENDGRID_HOST": ("sendgrid", "host"),
    "NEWSLETTER_DATABASE": ("database",),
    "NEWSLETTER_FEED": ("blog", "feeds"),
}


@dataclass(frozen=True, slots=True)
class ConfigCheck:
    """What validation has found in the text of newsletter.yml.

    Attributes:
        config: the settings; ``None`` if there are problems.
        document: the parsed text.
        problems: by line, each with the key path of its setting; with an empty one if it is about
            the whole file or its YAML.
    """

    config: Config | None
    document: yaml_document.YamlDocument
    problems: tuple[tuple[yaml_document.KeyPath, Problem], ...]


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and validate the configuration.

    Args:
        path: the file ``newsletter.yml``.
        environ: the environment; the variables of ``ENV_OVERRIDES`` override the file.

    Raises:
        ConfigError: all problems in the file and those variables, each with its line or variable.
    """
    shown_path = display_path(path)
    check = check_config(decode_config(read_config_bytes(path), shown_path), shown_path, environ)
    if check.config is None:
        raise ConfigError.from_problems([problem for _, problem in check.problems])
    return check.config


def check_config(text: str, shown_path: str, environ: Mapping[str, str]) -> ConfigCheck:
    """Validate the text of newsletter.yml.

    Args:
        text: the file's content, without a byte order mark.
        shown_path: the file's name, as the user would type it.
        environ: the environment, as for ``load_config``.
    """
    document = yaml_document.parse_yaml_document(text)
    yaml_problems = (
        *secrets.iter_api_key_problems(text),
        *document.problems,
        *secrets.iter_password_problems(document),
    )
    problems: list[tuple[yaml_document.KeyPath, Problem]] = [
        ((), Problem(found.message, Location(shown_path, found.line), found.remedy))
        for found in yaml_problems
    ]
    config = None
    if isinstance(document.data, dict):
        config, setting_problems = _validate(document, shown_path, environ)
        problems += setting_problems
    elif document.data is not None or not document.problems:
        message = f"the file {'is empty' if document.data is None else 'contains no settings'}"
        remedy = "Settings look like this: name: Harbour Notes"
        problems.append(((), Problem(message, Location(shown_path, 1), remedy)))
    problems.sort(key=lambda item: (item[1].where and item[1].where.line) or 0)
    redacted = tuple((path, secrets.redact_secrets(problem)) for path, problem in problems)
    return ConfigCheck(None if problems else config, document, redacted)


def _validate(
    document: yaml_document.YamlDocument, shown_path: str, environ: Mapping[str, str]
) -> tuple[Config | None, list[tuple[yaml_document.KeyPath, Problem]]]:
    overrides = {
        key_path: environ[name] for name, key_path in ENV_OVERRIDES.items() if environ.get(name)
    }
    try:
        config = Config.model_validate(_apply_overrides(document.data, overrides))
    except pydantic.ValidationError as error:
        variables = {
            key_path: name for name, key_path in ENV_OVERRIDES.items() if key_path in overrides
        }
        explained = error_messages.explain_validation_error(error, document, shown_path, variables)
        key_paths = [details["loc"] for details in error.errors(include_url=False)]
        return None, list(zip(key_paths, explained, strict=True))
    lines = {name: document.find_line(("segments", name)) for name in config.segments}
    config._segment_lines.update(lines)  # noqa: SLF001 - only this module knows the lines
    return config, []


def read_config_bytes(path: Path) -> bytes:
    """Read newsletter.yml, up to ``MAX_BYTES``.

    Raises:
        ConfigError: the file can't be read, or is too large.
    """
    location = Location(display_path(path))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"could not read the file: {reason}", where=location) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"the file is larger than {MAX_BYTES:,} bytes",
            where=location,
            remedy="Keep only settings in newsletter.yml; posts go into issues/.",
        )
    return data


def decode_config(data: bytes, shown_path: str) -> str:
    """Decode newsletter.yml, without its byte order mark.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "the file is not valid UTF-8",
            where=Location(shown_path, line),
            remedy="Save it as UTF-8.",
        ) from error


def _apply_overrides(
    data: dict[str, Any], overrides: Mapping[yaml_document.KeyPath, str]
) -> dict[str, Any]:
    """Set the environment's values in ``data``; skip one whose section is not a mapping.

    Validation reports such a section.
    """
    for (*sections, setting), value in overrides.items():
        inner: Any = data
        for section in sections:
            inner[section] = inner.get(section) or {}
            inner = inner[section]
        if isinstance(inner, dict):
            inner[setting] = value
    return data
