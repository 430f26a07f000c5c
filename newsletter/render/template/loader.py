"""Load the templates folder; the only file access of rendering."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from newsletter.errors import Location, Problem, TemplateError, display_path
from newsletter.render.template.bytecode_cache import TemplateBytecodeCache, open_bytecode_cache
from newsletter.render.words import NO_WORDS, OwnWords, read_own_words

_REFERENCE = re.compile(r"""\{%-?\s*(?:include|extends|import|from)\s+["']([^"']+)["']""")
_ARTICLE = re.compile(r"\{\{-?\s*article\b")
_DIGEST = re.compile(r"\{%-?\s*for\b[^%]*\bissue\.digest\b")

TEMPLATE_SUFFIXES = (".mjml", ".css")


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """The files of the templates folder; compared by identity, so that compilation is cached.

    Attributes:
        folder: its path as the user would type it, for messages.
        files: path relative to the folder, with ``/`` -> text, with LF line ends.
        bytecode_cache: where their compiled code is kept; ``None`` if it isn't.
        own_words: the folder's words files, which override the shipped ones.
    """

    folder: str
    files: Mapping[str, str]
    bytecode_cache: TemplateBytecodeCache | None = None
    own_words: OwnWords = NO_WORDS

    def locate(self, name: str, line: int | None = None) -> Location:
        """Return the place of a file, or of a line in it, as the user would type it."""
        return Location(os.path.join(self.folder, name), line)  # noqa: PTH118 - stays relative

    def list_used_files(self, name: str) -> list[str]:
        """Return ``name`` and the files that it includes, extends or imports, by way of others too.

        Only files whose name is written out are found.
        """
        used: list[str] = []
        waiting = [name]
        while waiting:
            file = waiting.pop(0)
            if file in self.files and file not in used:
                used.append(file)
                waiting += _REFERENCE.findall(self.files[file])
        return used

    def list_designs(self) -> list[str]:
        """Return the names that ``theme.template`` can have: the templates with an article."""
        return sorted(
            name.removesuffix(".mjml")
            for name in self.files
            if name.endswith(".mjml")
            and "/" not in name
            and any(_ARTICLE.search(self.files[file]) for file in self.list_used_files(name))
        )

    def shows_digest(self, name: str) -> bool:
        """Return whether a template, or a file that it includes, goes through a digest's posts."""
        return any(_DIGEST.search(self.files[file]) for file in self.list_used_files(name))


def load_templates(folder: Path) -> Templates:
    """Read every ``*.mjml`` and ``*.css`` in and below ``folder``, and ``words/*.yml``.

    Raises:
        TemplateError: the folder is missing or empty, or a file is not UTF-8; all at once.
    """
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in TEMPLATE_SUFFIXES or not path.is_file():
            continue
        try:
            # utf-8-sig: some Windows editors write a byte order mark.
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = path.read_bytes().count(b"\n", 0, error.start) + 1
            where = Location(display_path(path), line)
            problems.append(Problem("not valid UTF-8", where, "Save the file as UTF-8."))
            continue
        name = path.relative_to(folder).as_posix()
        files[name] = text.replace("\r\n", "\n").replace("\r", "\n")
    if not files and not problems:
        problems.append(
            Problem(
                f"there are no templates in {display_path(folder)}",
                remedy="Copy the templates folder of a newsletter made by: newsletter init DIR",
            )
        )
    own_words = NO_WORDS
    try:
        own_words = read_own_words(folder)
    except TemplateError as error:
        problems += error.problems
    if problems:
        raise TemplateError.from_problems(problems)
    cache = open_bytecode_cache(folder, os.environ)
    return Templates(display_path(folder), MappingProxyType(files), cache, own_words)
