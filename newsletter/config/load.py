"""Load newsletter.yml and report all its problems at once."""

from collections.abc import Mapping
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
}


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and validate the configuration.

    Args:
        path: the file ``newsletter.yml``.
        environ: the environment; ``SENDGRID_HOST`` and ``NEWSLETTER_DATABASE`` override the file.

    Raises:
        ConfigError: all problems in the file and those variables, each with its line or variable.
    """
    shown_path = display_path(path)
    text = _read_config_text(path, shown_path)
    document = yaml_document.parse_yaml_document(text)
    problems = [
        Problem(yaml_problem.message, Location(shown_path, yaml_problem.line), yaml_problem.remedy)
        for yaml_problem in (
            *secrets.iter_api_key_problems(text),
            *document.problems,
            *secrets.iter_password_problems(document),
        )
    ]
    data = document.data
    if not isinstance(data, dict):
        if data is not None or not document.problems:
            message = f"the file {'is empty' if data is None else 'contains no settings'}"
            remedy = "Settings look like this: name: Harbour Notes"
            problems.append(Problem(message, Location(shown_path, 1), remedy))
        raise ConfigError.from_problems([secrets.redact_api_keys(problem) for problem in problems])
    overrides = {
        key_path: environ[name] for name, key_path in ENV_OVERRIDES.items() if environ.get(name)
    }
    try:
        config = Config.model_validate(_apply_overrides(data, overrides))
    except pydantic.ValidationError as error:
        variables = {
            key_path: name for name, key_path in ENV_OVERRIDES.items() if key_path in overrides
        }
        problems += error_messages.explain_validation_error(error, document, shown_path, variables)
    if problems:
        problems.sort(key=lambda problem: (problem.where and problem.where.line) or 0)
        raise ConfigError.from_problems([secrets.redact_api_keys(problem) for problem in problems])
    lines = {name: document.find_line(("segments", name)) for name in config.segments}
    config._segment_lines.update(lines)  # noqa: SLF001 - only this module knows the lines
    return config


def _read_config_text(path: Path, shown_path: str) -> str:
    location = Location(shown_path)
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
