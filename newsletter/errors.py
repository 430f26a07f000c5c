"""Exception classes: each states what is wrong, where, and the remedy.

Nothing here depends on the command line; ``newsletter.cli.main`` prints these errors and exits with
their exit code.
"""

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # pathlib takes a tenth of the time of newsletter --help
    from pathlib import Path

FULL_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
FULL_DISK_MESSAGE = "the disk is full; nothing was left half-written"
FULL_DISK_REMEDY = "Make room and run the same command again."
_WRITE_REMEDIES = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "Make its folder writable, or use another folder.",
    ),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "Create its folder, or use another folder."),
    errno.EISDIR: "Move the folder of this name away, or use another name.",
    errno.ENAMETOOLONG: "Use a shorter name.",
}


class Location(NamedTuple):
    """A place in a file that the user can open.

    Attributes:
        path: the file, as the user would type it (relative to the working folder where possible).
        line: 1-based line number, or ``None`` for the whole file.
    """

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


def display_path(path: "Path | str") -> str:
    """Return ``path`` as the user would type it from the working folder."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # on another drive (Windows)
        relative = str(path)
    return display_file_name(str(path) if relative.startswith(f"..{os.sep}..") else relative)


def display_file_name(name: str) -> str:
    r"""Return a file's name as text that can be printed and stored.

    A name that is not UTF-8 has lone surrogates in Python, which no database takes; here ``\xff``.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class Problem(NamedTuple):
    """One problem, in the user's terms.

    Attributes:
        message: what is wrong, one sentence without a trailing full stop.
        where: the location, if the problem is in a file.
        remedy: what to do next, a full sentence; empty if the message already makes it clear.
    """

    message: str
    where: Location | None = None
    remedy: str = ""

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        if not self.remedy:
            return text
        if "\n" in text:  # it ends with a quoted line
            return f"{text}\n{self.remedy}"
        stop = "" if text.endswith((".", "?", "!")) else "."
        return f"{text}{stop} {self.remedy}"


class NewsletterError(Exception):
    """Base class of all errors that a user can cause or fix.

    Args:
        message: what is wrong, one sentence without a trailing full stop.
        where: the file and line, if the problem is in a file.
        remedy: what to do next, a full sentence.
        other_problems: further problems found in the same pass; all are shown.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: Location | None = None,
        remedy: str = "",
        other_problems: tuple[Problem, ...] = (),
    ) -> None:
        self.problems: tuple[Problem, ...] = (Problem(message, where, remedy), *other_problems)
        super().__init__(str(self.problems[0]))

    @classmethod
    def from_problems(cls, problems: "list[Problem] | tuple[Problem, ...]") -> "NewsletterError":
        """Combine several problems found in one pass (at least one) into one error."""
        first, *rest = problems
        return cls(
            first.message, where=first.where, remedy=first.remedy, other_problems=tuple(rest)
        )


class UsageError(NewsletterError):
    """Invalid command-line arguments: exit code 2."""

    exit_code = 2


class ConfigError(NewsletterError):
    """Invalid settings in ``newsletter.yml`` or in the environment."""


class ProjectError(NewsletterError):
    """A project folder, or an issue in it, that cannot be found."""


class PostError(NewsletterError):
    """A post or an issue that cannot be read."""


class TemplateError(NewsletterError):
    """An invalid template."""


class RenderError(NewsletterError):
    """An issue that cannot be rendered as an email."""


class SubscriberListError(NewsletterError):
    """Invalid data in the subscriber list, or in a file to be imported into it."""


class DatabaseError(NewsletterError):
    """A database that cannot be opened, or was not created by this program."""


class DatabaseUnavailableError(DatabaseError):
    """A database that is locked, unreachable or full at the moment.

    Nothing of the transaction was stored, unless the connection was lost in its commit: then all of
    it may be. The same transaction can succeed later.
    """


class DatabaseChangedError(DatabaseError):
    """A database that was upgraded, retired or replaced since this program was started.

    The same program can't use it any more; another version or setting can.
    """


class FileWriteError(NewsletterError):
    """A file that cannot be written."""

    @classmethod
    def from_os_error(cls, error: OSError, path: "Path") -> "FileWriteError":
        """Explain why ``path`` couldn't be written, and what to do."""
        where = Location(display_path(path))
        if error.errno in FULL_DISK_ERRORS:
            return cls(FULL_DISK_MESSAGE, where=where, remedy=FULL_DISK_REMEDY)
        reason = (error.strerror or str(error)).lower()
        remedy = _WRITE_REMEDIES.get(error.errno or 0, "")
        return cls(f"could not write the file: {reason}", where=where, remedy=remedy)


class SendRefusedError(NewsletterError):
    """A send that must not start; nothing was sent."""


class NothingToDoError(NewsletterError):
    """What a command is to do has been done already: exit code 3."""

    exit_code = 3


class PublishError(NewsletterError):
    """A publish command that can't be started, failed, or took too long."""


class ProviderError(NewsletterError):
    """SendGrid rejected a request, or could not be reached."""


class MissingPermissionError(ProviderError):
    """The API key may not do that; it may do other things."""
