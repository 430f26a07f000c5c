"""``MarkupTag``, a tag of another tool, with its arguments and its pair."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

_ARGUMENT = re.compile(
    r"""(?:(?P<key>[\w.-]{1,60})[ \t\n]{0,9}(?:=|:(?=[ \t\n"'`]))[ \t\n]{0,9})?
    (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|`(?P<raw>[^`]*)`
      |[“”″](?P<curly>[^“”″]*)[“”″]|&quot;(?P<entity>[^&]*)&quot;
      |(?P<bare>[^\s,"'`]+))""",
    re.VERBOSE,
)
MAX_TAG_LENGTH = 2_000  # characters

TagForm = Literal["open", "close", "single"]


@dataclass(frozen=True, slots=True)
class MarkupTag:
    """One tag.

    Attributes:
        start: its offset.
        end: the offset behind it.
        name: its name, in lowercase.
        form: ``"open"`` may have a closing tag; ``"single"`` closes itself.
        values: its named arguments, names in lowercase.
        words: its other arguments, in order.
        arguments: all of them as written.
    """

    start: int
    end: int
    name: str
    form: TagForm = "open"
    values: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    arguments: str = ""

    def get(self, *keys: str, position: int | None = None) -> str:
        """Return the first named argument that is set, else the one at ``position``."""
        for key in keys:
            if value := self.values.get(key, "").strip():
                return value
        return (
            self.words[position].strip()
            if position is not None and position < len(self.words)
            else ""
        )


@dataclass(frozen=True, slots=True)
class MarkupElement:
    """A tag with its closing tag, if it has one."""

    tag: MarkupTag
    closing: MarkupTag | None = None

    @property
    def end(self) -> int:
        """The offset behind the whole element."""
        return self.closing.end if self.closing else self.tag.end


def parse_arguments(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return named arguments and the others; commas between them don't count."""
    values: dict[str, str] = {}
    words: list[str] = []
    for found in _ARGUMENT.finditer(text[:MAX_TAG_LENGTH]):
        groups = ("double", "single", "raw", "curly", "entity", "bare")
        value = next(found[name] for name in groups if found[name] is not None)
        if found["key"]:
            values.setdefault(found["key"].lower(), value)
        else:
            words.append(value)
    return values, tuple(words)


def pair_tags(tags: Iterable[MarkupTag]) -> Sequence[MarkupElement]:
    """Return each opening or single tag with the closing tag of the same name that fits it."""
    ordered = sorted(tags, key=lambda tag: tag.start)
    closing_tags: dict[int, MarkupTag] = {}
    open_tags: dict[str, list[MarkupTag]] = {}
    for tag in ordered:
        if tag.form == "open":
            open_tags.setdefault(tag.name, []).append(tag)
        elif tag.form == "close" and open_tags.get(tag.name):
            closing_tags[open_tags[tag.name].pop().start] = tag
    return [
        MarkupElement(tag, closing_tags.get(tag.start)) for tag in ordered if tag.form != "close"
    ]
