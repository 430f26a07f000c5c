"""One tree of errors: each says what is wrong, where, and what to do next.

Nothing here knows the command line; ``newsletter.cli.main`` prints these and picks the exit code.
"""

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # pathlib takes a tenth of the time of newsletter --help
    from pathlib import Path


class Location(NamedTuple):
    """A place in a file that the user can open.

    Attributes:
        path: the file, as the user would type it (relative to the working folder where possible).
        line: 1-based line, or ``None`` where the whole file is meant.
    """

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


def display_path(path: "Path") -> str:
    """``path`` as the user would type it from the working folder."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return str(path) if relative.startswith(f"..{os.sep}..") else relative


class Problem(NamedTuple):
    """One thing that is wrong, in the user's terms.

    Attributes:
        message: what is wrong, one sentence without a trailing full stop.
        where: where it is, if it is in a file.
        remedy: what to do next, a full sentence; empty if the message already says it.
    """

    message: str
    where: Location | None = None
    remedy: str = ""

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        if not self.remedy:
            return text
        stop = "" if text.endswith((".", "?", "!")) else "."
        return f"{text}{stop} {self.remedy}"


class NewsletterError(Exception):
    """Base of every error that a user can cause or cure.

    Args:
        message: what is wrong, one sentence.
        where: the file and line, if there is one.
        remedy: what to do next.
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
        """Make one error of several problems found in one pass (at least one)."""
        first, *rest = problems
        return cls(
            first.message, where=first.where, remedy=first.remedy, other_problems=tuple(rest)
        )


class UsageError(NewsletterError):
    """The command was called with words that cannot mean anything: exit code 2."""

    exit_code = 2


class ConfigError(NewsletterError):
    """``newsletter.yml`` or the environment is wrong."""


class ProjectError(NewsletterError):
    """The editor's folder is not there, or an issue in it cannot be found."""


class PostError(NewsletterError):
    """A post or an issue cannot be read."""


class TemplateError(NewsletterError):
    """A template is wrong."""


class RenderError(NewsletterError):
    """An issue cannot become an email."""


class SubscriberListError(NewsletterError):
    """The subscriber list, or a file meant for it, is wrong."""


class DatabaseError(NewsletterError):
    """The database cannot be opened or is not ours."""


class SendRefusedError(NewsletterError):
    """A send may not start; nothing was sent."""


class ProviderError(NewsletterError):
    """SendGrid refused, or could not be reached."""
