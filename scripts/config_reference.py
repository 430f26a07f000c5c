"""Print docs/reference/configuration.md: every setting, from the models."""

import sys
from typing import Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from newsletter.config.error_messages import get_section_model
from newsletter.config.models import Config

HEAD = """\
# Settings
`newsletter.yml`, in the folder that `newsletter init` makes. Only `name`, `sender.name`,
`sender.address` and `site_url` are required. All mistakes in the file are reported at once, each
with its line and a valid example. The first line of a new file points editors to its JSON
Schema, so that they complete and check as you type.

What doesn't belong in a file is set in the environment:

| variable | meaning |
|---|---|
| `SENDGRID_API_KEY` | the API key; it can be set nowhere else |
| `SENDGRID_HOST` | overrides `sendgrid.host` |
| `NEWSLETTER_DATABASE` | overrides `database`; here the URL may contain a password |
| `NEWSLETTER_FEED` | overrides `blog.feeds` with one feed; here the URL may contain a token |
| `XDG_CACHE_HOME` | compiled templates are kept in its `newsletter/`; `~/.cache` if unset |
| `NO_COLOR` | any value: no colour |

A `.env` file is not read. Load one into the shell with `set -a; . ./.env; set +a`.

URLs are absolute and `https`; your own and `sendgrid.host` may be `http` on this machine
(`localhost`, `127.0.0.1`). Colours are `"#rrggbb"`, in quotes, since YAML
takes an unquoted `#` for a comment. Settings that you leave out of a section keep
their defaults.
"""


def main() -> None:
    """Print the reference."""
    sys.stdout.write(HEAD + _tables("", "The settings outside the sections below.", Config, None))


def _tables(
    path: str, about: str, model: type[BaseModel], default_section: BaseModel | None
) -> str:
    """Return a table of a section's settings, followed by those of its subsections.

    Args:
        path: the dotted path of the section; empty for the whole file.
        about: the description of the section.
        model: its settings.
        default_section: the section's default; ``None`` if it is required.
    """
    title = f"`{path}`" if path else "`newsletter.yml`"
    text = f"\n## {title}\n{about}\n\n| setting | default | meaning |\n|---|---|---|\n"
    subsections = ""
    for name, setting in model.model_fields.items():
        value = (
            getattr(default_section, name)
            if default_section
            else None
            if setting.is_required()
            else setting.default
        )
        section_model = get_section_model(setting)
        if section_model:
            section_default = value if isinstance(value, BaseModel) else None
            subsections += _tables(
                f"{path}.{name}".lstrip("."),
                str(setting.description),
                section_model,
                section_default,
            )
        else:
            required = setting.is_required() and default_section is None
            default = "required" if required else _default(value)
            text += f"| `{name}` | {default} | {_about(setting, value)} |\n"
    return text + subsections


def _default(value: object) -> str:
    return f"`{_shown(value)}`" if value not in (None, "", (), {}) else "none"


def _about(setting: FieldInfo, value: object) -> str:
    choices = get_args(setting.annotation) if get_origin(setting.annotation) is Literal else ()
    parts = [
        str(setting.description),
        f"One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else "",
        f"Example: `{_shown(setting.examples[0])}`" if setting.examples and not value else "",
    ]
    return " ".join(part for part in parts if part)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    line = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False)
    return line.removesuffix("...\n").strip()


if __name__ == "__main__":
    main()
