"""The templates folder as data. The only effect of rendering is here: reading it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from newsletter.errors import Location, Problem, TemplateError, display_path

TEMPLATE_SUFFIXES = (".mjml", ".css")


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """The files that a designer edits. Compared by identity, so that what they compile to is kept.

    Attributes:
        folder: as the user would type it, for messages.
        files: name relative to the folder, with ``/`` -> its text, line ends LF.
    """

    folder: str
    files: Mapping[str, str]

    def locate(self, name: str, line: int | None = None) -> Location:
        """Where ``name`` (and a line in it) is, as the user would type it."""
        return Location(os.path.join(self.folder, name), line)  # noqa: PTH118 - stays relative


def load_templates(folder: Path) -> Templates:
    """Read every ``*.mjml`` and ``*.css`` in and below ``folder``.

    Raises:
        TemplateError: no such folder, nothing in it, or a file that is not UTF-8; all at once.
    """
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in TEMPLATE_SUFFIXES or not path.is_file():
            continue
        try:
            # utf-8-sig: some editors on Windows begin a file with a byte order mark.
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = path.read_bytes().count(b"\n", 0, error.start) + 1
            place = Location(display_path(path), line)
            problems.append(Problem("this is not UTF-8", place, "Save the file as UTF-8."))
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
    if problems:
        raise TemplateError.from_problems(problems)
    return Templates(display_path(folder), MappingProxyType(files))
