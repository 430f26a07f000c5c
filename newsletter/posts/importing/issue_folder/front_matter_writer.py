"""Write an imported post as ``post.md`` or ``post.html``."""

import re
import textwrap
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from newsletter.config.safe_yaml import TIMESTAMP_PATTERN
from newsletter.errors import PostError
from newsletter.posts.front_matter.keys import normalize_key
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.importing.imported_post import ImportedPost

_YAML_WIDTH = 96
HINTS_TITLE = "# Optional settings: delete the '# ' in front of one to use it.\n"
# Settings that no import fills in, each with an example and what it is for.
_HINTS = {
    "number": ("12", "the issue's number"),
    "hero": ("{src: boat.jpg, alt: A red boat}", "below the title"),
    "button": ("{text: Read on, url: https://example.com}", "the call to action"),
    "further": ("[{title: Knots, url: https://example.com}]", "cards at the end"),
    "sender_name": ("Ada at Harbour Notes", "who the email is from"),
    "reply_to": ("ada@example.com", "where replies go"),
    "template": ("plain", "another design"),
    "archive": ("unlisted", "for its web page"),
    "draft": ("true", "it can't be sent yet"),
}
_HINT_WIDTH = max(len(f"# {key}: {example}") for key, (example, _) in _HINTS.items())
_HINTED_KEY = re.compile(r"^#[ \t]*([\w-]+)[ \t]*:", re.MULTILINE)


class _Dumper(yaml.SafeDumper):
    """YAML dumper that writes an unset setting without a value, for the editor to fill in."""


_Dumper.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)
# A text that would be read as a date needs quotes.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:timestamp", TIMESTAMP_PATTERN, list("0123456789"))
# TOML's times of day, for which YAML has no type.
_Dumper.add_multi_representer(object, lambda dumper, value: dumper.represent_str(str(value)))


def format_post_file(imported_post: ImportedPost) -> str:
    """Return the text of the post file: front matter (YAML) and body.

    YAML in the source is kept as written, including comments; missing settings are added below it,
    then the source's other settings, under ``extra``, then the optional settings, as comments.
    """
    body = imported_post.body
    gap = "" if body.startswith("\n") else "\n"
    end = "" if body.endswith("\n") else "\n"
    settings = _format_front_matter(imported_post)
    hints = _format_hints(imported_post.front_matter.keys(), settings)
    return f"---\n{settings}{hints}---\n{gap}{body}{end}"


def _format_hints(keys: Collection[str], written: str) -> str:
    """Return the optional settings that are neither set nor in a comment, as comments.

    An issue's own post may be imported: what the editor has deleted of them stays deleted.
    """
    if HINTS_TITLE in written:
        return ""
    mentioned = {normalize_key(key) for key in (*keys, *_HINTED_KEY.findall(written))}
    hints = [
        f"{f'# {key}: {example}':<{_HINT_WIDTH}}  # {purpose}\n"
        for key, (example, purpose) in _HINTS.items()
        if key not in mentioned
    ]
    return "".join([HINTS_TITLE, *hints]) if hints else ""


def _format_front_matter(imported_post: ImportedPost) -> str:
    settings = dict(imported_post.front_matter)
    if imported_post.front_matter_source:
        as_written = _rearrange_source(imported_post.front_matter_source, settings)
        try:
            written = split_front_matter(f"---\n{as_written}---\n", "").data
        except PostError:
            written = {}  # YAML written as one {…}, and aliases, can't be rearranged by lines
        if written.keys() == settings.keys() and all(
            repr(written[key]) == repr(_load_dumped(settings[key])) for key in settings
        ):
            return as_written
    return format_settings(settings)


def _load_dumped(value: Any) -> Any:
    """Return a value as it is read again after it was written as YAML."""
    return split_front_matter(f"---\n{format_settings({'value': value})}---\n", "").data["value"]


def _rearrange_source(source: str, settings: Mapping[str, Any]) -> str:
    """Return the source's YAML with its lines kept, other tools' settings under ``extra``."""
    text = source.rstrip("\n") + "\n"
    existing = split_front_matter(f"---\n{text}---\n", "", allow_repeated=True)
    extra = dict(settings.get("extra") or {})
    kept: dict[str, Any] = {}
    kept_lines: list[str] = []
    extra_lines: list[str] = []
    for key, lines in _split_by_key(text, existing):
        value = existing.data.get(key)
        if key == "":  # comments above the first setting
            kept_lines += lines
        elif key != "extra" and key in settings and repr(settings[key]) == repr(value):
            kept_lines += lines
            kept[key] = value
        elif key in extra and repr(extra[key]) == repr(value):
            extra_lines += lines
            del extra[key]
    missing = {key: settings[key] for key in settings if key not in kept and key != "extra"}
    written = "".join(kept_lines) + (format_settings(missing) if missing else "")
    if extra:
        extra_lines = [format_settings(extra), *extra_lines]
    if not extra_lines:
        return written
    return f"{written}extra:\n{textwrap.indent(''.join(extra_lines), '  ')}"


def _split_by_key(text: str, existing: FrontMatter) -> list[tuple[str, list[str]]]:
    """Return each key with its lines; of a repeated key only the last."""
    starts = {line - 2: key for key, line in existing.lines.items()}
    blocks: list[tuple[str, list[str]]] = [("", [])]
    for index, line in enumerate(text.splitlines(keepends=True)):
        if index in starts:
            comments: list[str] = []
            while blocks[-1][1] and blocks[-1][1][-1].startswith("#"):
                comments.insert(0, blocks[-1][1].pop())
            blocks.append((starts[index], comments))
        blocks[-1][1].append(line)
    return blocks


def format_settings(settings: dict[str, Any]) -> str:
    """Return settings as YAML, in their order."""
    return yaml.dump(
        settings,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_YAML_WIDTH,
    )
