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

EXCERPT_CONTEXT_LINES = 3  # lines of an excerpt before and after the one that is meant
MAX_EXCERPT_FILE_BYTES = 20_000_000
MAX_EXCERPT_LINE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Rendering:
    """One rendering that worked.

    Attributes:
        project: the editor's folder with the settings that it was made with.
        templates: those that it was made with.
        issue: as read.
        email: as rendered, tokens still in it.
        duration_ms: what reading and rendering took.
    """

    project: Project
    templates: Templates
    issue: Issue
    email: Email
    duration_ms: float

    @property
    def config(self) -> Config:
        """The newsletter's settings."""
        return self.project.config

    @property
    def issue_dir(self) -> Path:
        """The issue's."""
        return self.issue.source_path.parent


@dataclass(frozen=True, slots=True)
class RenderProblem:
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
class IssueState:
    """An issue as the page shows it.

    Attributes:
        version: grows with every rendering.
        rendering: the last rendering that worked, if any has.
        problems: why there is no newer one; empty if ``proof`` is of now.
    """

    version: int
    rendering: Rendering | None
    problems: tuple[RenderProblem, ...] = ()


class PreviewWorkspace:
    """Renders issues when they are looked at, and again when their files have changed.

    Safe to use by several threads. Nothing that is wrong with a file is raised: it becomes a
    part of the view.

    Args:
        project: the editor's folder; read again when ``newsletter.yml`` changes.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._templates: Templates | None = None
        self._config_changed = False
        self._states: dict[str, IssueState] = {}
        self._up_to_date: set[str] = set()
        self._version = 0
        self._lock = Lock()

    def invalidate(self, paths: Iterable[Path]) -> None:
        """Forget what these files went into."""
        with self._lock:
            for path in paths:
                if path.is_relative_to(self.project.issues_dir):
                    parts = path.relative_to(self.project.issues_dir).parts
                    self._up_to_date.discard(parts[0] if parts else "")
                    continue
                self._up_to_date.clear()
                self._templates = None
                self._config_changed |= path.name == CONFIG_NAME

    def get_state(self, name: str) -> IssueState:
        """The issue as it is now; rendered if any of its files has changed since."""
        with self._lock:
            if name not in self._up_to_date:
                # Before reading: a save meanwhile makes it stale again.
                self._up_to_date.add(name)
                self._version += 1
                self._states[name] = self._refresh_state(name)
            return self._states[name]

    def _refresh_state(self, name: str) -> IssueState:
        earlier = self._states.get(name) or IssueState(0, None)
        try:
            return IssueState(self._version, self._render_issue(name))
        except NewsletterError as error:
            faults = tuple(_make_render_problem(problem) for problem in error.problems)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            faults = (
                RenderProblem(f"a file can't be read: {words}", file=str(error.filename or "")),
            )
        except Exception as error:  # noqa: BLE001 - whatever a file does, the page goes on
            faults = (
                RenderProblem(f"this could not be rendered: {type(error).__name__}: {error}"),
            )
        return replace(earlier, version=self._version, problems=faults)

    def _render_issue(self, name: str) -> Rendering:
        started = time.perf_counter()
        if self._config_changed:
            self.project = open_project(self.project.root)
            self._config_changed = False
        if self._templates is None:
            self._templates = load_templates(self.project.templates_dir)
        issue = read_issue(self.project.issues_dir / name, self.project.config)
        email = render_issue(issue, self._templates, self.project.config)
        took = (time.perf_counter() - started) * 1000
        return Rendering(self.project, self._templates, issue, email, took)


def _make_render_problem(problem: Problem) -> RenderProblem:
    where = problem.where
    if where is None:
        return RenderProblem(problem.message, problem.remedy)
    return RenderProblem(
        problem.message, problem.remedy, where.path, where.line, read_excerpt(where)
    )


def read_excerpt(location: Location) -> tuple[tuple[int, str], ...]:
    """The lines around a place; none if it names no line or the file can't be read."""
    path = Path(location.path)
    try:
        if location.line is None or path.stat().st_size > MAX_EXCERPT_FILE_BYTES:
            return ()
        lines = path.read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return ()
    first = max(location.line - 1 - EXCERPT_CONTEXT_LINES, 0)
    shown = lines[first : location.line + EXCERPT_CONTEXT_LINES]
    return tuple(
        (number, line[:MAX_EXCERPT_LINE_LENGTH]) for number, line in enumerate(shown, first + 1)
    )
