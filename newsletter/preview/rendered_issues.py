"""What lies on the editor's desk: each issue as it renders now, and as it last rendered well."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from newsletter.config import Config
from newsletter.errors import Location, NewsletterError, Problem
from newsletter.posts.issue import Issue
from newsletter.posts.read_issue import read_issue
from newsletter.project import CONFIG_NAME, Project, open_project
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates, load_templates

AROUND = 3  # lines of an excerpt before and after the one that is meant
EXCERPT_BYTES = 20_000_000
LINE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Proof:
    """One rendering that worked.

    Attributes:
        project: the editor's folder with the settings that it was made with.
        templates: those that it was made with.
        issue: as read.
        email: as rendered, tokens still in it.
        milliseconds: what reading and rendering took.
    """

    project: Project
    templates: Templates
    issue: Issue
    email: Email
    milliseconds: float

    @property
    def config(self) -> Config:
        """The newsletter's settings."""
        return self.project.config

    @property
    def folder(self) -> Path:
        """The issue's."""
        return self.issue.source_path.parent


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, with the lines where it is.

    Attributes:
        message: what is wrong.
        remedy: what to do next, may be empty.
        file: as the user would type it, may be empty.
        line: 1-based, or ``None``.
        excerpt: numbered lines of the file around it.
    """

    message: str
    remedy: str = ""
    file: str = ""
    line: int | None = None
    excerpt: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """An issue as the page shows it.

    Attributes:
        version: grows with every rendering.
        proof: the last rendering that worked, if any has.
        faults: why there is no newer one; empty if ``proof`` is of now.
    """

    version: int
    proof: Proof | None
    faults: tuple[Fault, ...] = ()


class Desk:
    """Renders issues when they are looked at, and again when their files have changed.

    Safe to use by several threads. Nothing that is wrong with a file is raised: it becomes a
    part of the view.

    Args:
        project: the editor's folder; read again when ``newsletter.yml`` changes.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._templates: Templates | None = None
        self._unread = False
        self._views: dict[str, View] = {}
        self._fresh: set[str] = set()
        self._version = 0
        self._lock = Lock()

    def changed(self, paths: Iterable[Path]) -> None:
        """Forget what these files went into."""
        with self._lock:
            for path in paths:
                if path.is_relative_to(self.project.issues_dir):
                    parts = path.relative_to(self.project.issues_dir).parts
                    self._fresh.discard(parts[0] if parts else "")
                    continue
                self._fresh.clear()
                self._templates = None
                self._unread |= path.name == CONFIG_NAME

    def view(self, name: str) -> View:
        """The issue as it is now; rendered if any of its files has changed since."""
        with self._lock:
            if name not in self._fresh:
                # Before reading: a save meanwhile makes it stale again.
                self._fresh.add(name)
                self._version += 1
                self._views[name] = self._looked_at(name)
            return self._views[name]

    def _looked_at(self, name: str) -> View:
        earlier = self._views.get(name) or View(0, None)
        try:
            return View(self._version, self._rendered(name))
        except NewsletterError as error:
            faults = tuple(_fault(problem) for problem in error.problems)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            faults = (Fault(f"a file can't be read: {words}", file=str(error.filename or "")),)
        except Exception as error:  # noqa: BLE001 - whatever a file does, the page goes on
            faults = (Fault(f"this could not be rendered: {type(error).__name__}: {error}"),)
        return replace(earlier, version=self._version, faults=faults)

    def _rendered(self, name: str) -> Proof:
        started = time.perf_counter()
        if self._unread:
            self.project = open_project(self.project.root)
            self._unread = False
        if self._templates is None:
            self._templates = load_templates(self.project.templates_dir)
        issue = read_issue(self.project.issues_dir / name, self.project.config)
        email = render_issue(issue, self._templates, self.project.config)
        took = (time.perf_counter() - started) * 1000
        return Proof(self.project, self._templates, issue, email, took)


def _fault(problem: Problem) -> Fault:
    where = problem.where
    if where is None:
        return Fault(problem.message, problem.remedy)
    return Fault(problem.message, problem.remedy, where.path, where.line, excerpt(where))


def excerpt(where: Location) -> tuple[tuple[int, str], ...]:
    """The lines around a place; none if it names no line or the file can't be read."""
    path = Path(where.path)
    try:
        if where.line is None or path.stat().st_size > EXCERPT_BYTES:
            return ()
        lines = path.read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return ()
    first = max(where.line - 1 - AROUND, 0)
    shown = lines[first : where.line + AROUND]
    return tuple((number, line[:LINE_LENGTH]) for number, line in enumerate(shown, first + 1))
