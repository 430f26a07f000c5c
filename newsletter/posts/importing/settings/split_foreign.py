"""Split the front matter of other tools, with slips that they accept.

A value that YAML reads as syntax (``title: Boats: a story``) is taken as text, a tab as spaces;
empty lines above the fence, a missing first fence and a line ``---`` that is only a thematic
break are recognized. Lines keep their numbers.
"""

import re
from dataclasses import replace
from typing import NamedTuple

from newsletter.errors import PostError
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.importing.settings.notes import SettingNote, note_taken_as_text

_MAX_MENDED_LENGTH = 20_000  # characters of front matter
_MAX_MENDED_VALUES = 10
_MAX_LINES_ABOVE = 3  # tried as the place of an open quote
_LATE_FENCE = re.compile(
    r"(?P<blank>(?:[ \t]*\n)+)"
    r"(?:(?P<yaml>---)[ \t]*\n(?=[ \t]*[\w\"'#])|(?P<toml>\+\+\+)[ \t]*\n(?=\s*[\w\"'.-]+\s*=))"
)
_SETTING = re.compile(
    r"[ \t]*(?:[\"'][^\"'\n]+[\"'][ \t]*:|\{(?![{%])|\?[ ]|<<:|[\w-]+:(?!//)"
    r"|[^\s#*'\"-][^\n:]{0,60}:(?:[ \t]|$))"
)
_UNFENCED_START = re.compile(
    r"(?:title|date|author|authors|layout|slug|tags|category|categories)[ \t]*:[ \t]+\S",
    re.IGNORECASE,
)
_UNFENCED_LINE = re.compile(r"[A-Za-z][\w-]{0,30}[ \t]*:(?:[ \t].*)?$|[ \t]+\S.*$|- .*$")
_UNFENCED_TITLE = re.compile(r"title[ \t]*:[ \t]+\S", re.IGNORECASE | re.MULTILINE)
_MENDABLE_LINE = re.compile(
    r"(?P<start>[ ]*(?:- +)*(?P<key>[\w\"'][^\n:]{0,60}?):[ \t]+|[ ]*- +)(?P<value>\S.*?)[ \t]*$"
)
_TABBED_LINE = re.compile(r"^[ ]*\t[ \t]*", re.MULTILINE)
_BLOCK_SCALAR = re.compile(r"[|>][-+\d]*$")


class ForeignPost(NamedTuple):
    """Another tool's post, split.

    Attributes:
        front_matter: its settings and body.
        yaml_source: the settings' YAML, values that needed quotes in quotes; empty for other
            formats.
        notes: which values were taken as text.
    """

    front_matter: FrontMatter
    yaml_source: str
    notes: tuple[SettingNote, ...] = ()


def split_foreign_front_matter(text: str, path: str) -> ForeignPost:
    r"""Split a post from anywhere into front matter and body.

    Args:
        text: the whole file, ``\n`` line ends.
        path: its name, for messages.

    Raises:
        PostError: the front matter is invalid; with its line in the file.
    """
    if late := _LATE_FENCE.match(text):
        # Below the fence, the empty lines are harmless, and all lines keep their numbers.
        text = f"{late['yaml'] or late['toml']}\n{late['blank']}{text[late.end() :]}"
    first, *rest = text.split("\n")
    content = (line for line in rest if line.strip() and not line.lstrip().startswith("#"))
    line = next(content, "").rstrip()
    if first.rstrip() == "---" and line not in {"---", "..."} and not _SETTING.match(line):
        # The first line is a thematic break: no setting follows it.
        return ForeignPost(FrontMatter(body=text), "")
    return _split_unfenced(text, path) or _split_fenced(text, path)


def _split_fenced(text: str, path: str) -> ForeignPost:
    notes: tuple[SettingNote, ...] = ()
    try:
        front_matter = split_front_matter(text, path, allow_repeated=True)
    except PostError:
        text, notes = _mend_yaml(text, path)
        front_matter = split_front_matter(text, path, allow_repeated=True)
    is_yaml = front_matter.format == "yaml"
    lines = text.split("\n")[1 : front_matter.body_line - 2] if is_yaml else []
    return ForeignPost(front_matter, "\n".join(lines), notes)


def _split_unfenced(text: str, path: str) -> ForeignPost | None:
    """Split settings without a first fence: Hexo's end with ``---``, Pelican's with a gap."""
    if not _UNFENCED_START.match(text):
        return None
    lines = text.split("\n")
    end = next((i for i, line in enumerate(lines) if not _UNFENCED_LINE.match(line)), len(lines))
    block = "\n".join(lines[:end]) + "\n"
    is_fenced = end < len(lines) and bool(re.fullmatch(r"-{3,}\s*", lines[end]))
    is_complete = is_fenced or (end > 1 and end < len(lines) and not lines[end].strip())
    if not is_complete or not _UNFENCED_TITLE.search(block):
        return None
    try:
        post = _split_fenced(f"---\n{block}---\n", path)
    except PostError:
        return None  # it is text
    front_matter = replace(
        post.front_matter,
        lines={key: line - 1 for key, line in post.front_matter.lines.items()},
        body="\n".join(lines[end + 1 :]),
        body_line=end + 2,
    )
    return post._replace(front_matter=front_matter)


def _mend_yaml(text: str, path: str) -> tuple[str, tuple[SettingNote, ...]]:
    """Put values that YAML rejects into quotes; what can't be mended stays as it is."""
    notes: list[SettingNote] = []
    lines = text.split("\n")
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() in {"---", "..."}), 0)
    block = "\n".join(lines[1:end])
    if not lines[0].startswith("---") or len(block) > _MAX_MENDED_LENGTH:
        return text, ()
    if _TABBED_LINE.search(block):
        block = _TABBED_LINE.sub(lambda found: found[0].replace("\t", "  "), block)
        lines[1:end] = block.split("\n")
    for _ in range(_MAX_MENDED_VALUES):
        invalid_line = _find_invalid_line(lines, path)
        if invalid_line is None:
            break
        mended = _mend_line(lines[: end + 1], invalid_line, path)
        if mended is None:
            break
        index, line, note = mended
        lines[index] = line
        notes.append(note)
    return "\n".join(lines), tuple(notes)


def _mend_line(
    lines: list[str], invalid_line: int, path: str
) -> tuple[int, str, SettingNote] | None:
    """Return the line that makes YAML valid up to a later line, its index, and a note.

    A quote or a bracket may have been opened above the line at which YAML fails.
    """
    above = [
        index
        for index in range(invalid_line - 2, 0, -1)
        if (found := _MENDABLE_LINE.fullmatch(lines[index])) and found["value"][0] in "\"'[{"
    ]
    for index in [invalid_line - 1, *above[:_MAX_LINES_ABOVE]]:
        found = _MENDABLE_LINE.fullmatch(lines[index]) if index < len(lines) else None
        if not found or _BLOCK_SCALAR.match(found["value"]):
            continue
        value = found["value"]
        quote, inner = value[0], value[1:-1]
        if len(value) > 1 and quote in "\"'" and value[-1] == quote and inner.count(quote) <= 1:
            value = inner  # in quotes as a whole: 'Boat's back'
        quoted = value.replace("'", "''")
        line = f"{found['start']}'{quoted}'"
        next_invalid_line = _find_invalid_line([*lines[:index], line, *lines[index + 1 :]], path)
        if next_invalid_line is None or next_invalid_line > invalid_line:
            key = (found["key"] or "-").strip("\"' ")
            return index, line, note_taken_as_text(key, value)
    return None


def _find_invalid_line(lines: list[str], path: str) -> int | None:
    """Return the line at which front matter is invalid, or ``None``."""
    try:
        split_front_matter("\n".join(lines), path, allow_repeated=True)
    except PostError as error:
        where = error.problems[0].where
        return where.line if where else None
    return None
