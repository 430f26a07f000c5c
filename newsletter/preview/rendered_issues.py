"""Render issues on demand, keep each one's last good rendering."""

import datetime
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from newsletter.config import Config
from newsletter.errors import Location, NewsletterError, Problem, display_path
from newsletter.posts.issue import Issue
from newsletter.project import CONFIG_NAME, Project, open_project
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.issue_folder import RenderedIssue, render_issue_folder
from newsletter.render.latest_issues import LatestIssue
from newsletter.render.project_emails import ProjectEmails
from newsletter.render.template.loader import Templates, load_templates
from newsletter.sending.transactional_sample import render_sample_email

if TYPE_CHECKING:
    import sqlalchemy as sa

# Before the kind of an email to one reader, where the page has an issue's name.
SINGLE_EMAIL_PREFIX = "email:"
# Kind -> what the email is for.
SINGLE_EMAILS: Mapping[str, str] = {
    "confirm": "Confirm the sign-up",
    "welcome": "Welcome",
    "move_from": "Change of address: old",
    "move_to": "Change of address: new",
    "download": "Download data",
    "erase": "Delete data",
}
_WELCOME = f"{SINGLE_EMAIL_PREFIX}welcome"
EXCERPT_CONTEXT_LINES = 3  # lines before and after the one with the problem
MAX_EXCERPT_FILE_BYTES = 20_000_000
MAX_EXCERPT_LINE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Rendering:
    """A successful rendering of an issue.

    Attributes:
        project: the project with the settings that were used.
        rendered: the issue, what it was rendered with, and its email.
        duration_ms: how long reading and rendering took.
    """

    project: Project
    rendered: RenderedIssue
    duration_ms: float

    @property
    def issue(self) -> Issue:
        """The issue as read from its folder."""
        return self.rendered.issue

    @property
    def email(self) -> Email:
        """The email, with its merge tokens."""
        return self.rendered.email

    @property
    def config(self) -> Config:
        """The newsletter's settings."""
        return self.project.config

    @property
    def issue_dir(self) -> Path:
        """The issue's folder."""
        return self.issue.source_path.parent


@dataclass(frozen=True, slots=True)
class SingleEmailRendering:
    """A successful rendering of an email to one reader.

    Attributes:
        project: the project with the settings that were used.
        kind: its kind, a key of ``SINGLE_EMAILS``.
        email: the email, for the sample recipient.
        source: what it is written in, for the user: a file, or the default text.
        latest_note: why it lacks the latest issues that it has a place for; or empty.
        duration_ms: how long reading and rendering took.
    """

    project: Project
    kind: str
    email: Email
    source: str
    latest_note: str
    duration_ms: float

    @property
    def name(self) -> str:
        """What the page calls it."""
        return SINGLE_EMAIL_PREFIX + self.kind

    @property
    def title(self) -> str:
        """What it is for."""
        return SINGLE_EMAILS[self.kind]


@dataclass(frozen=True, slots=True)
class RenderProblem:
    """Why an issue can't be rendered, with the lines concerned.

    Attributes:
        message: what is wrong.
        remedy: what to do next, may be empty.
        file: the file's path as the user would type it, may be empty.
        line: the line's number, from 1, or ``None``.
        excerpt: the file's lines around it, each with its number.
    """

    message: str
    remedy: str = ""
    file: str = ""
    line: int | None = None
    excerpt: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class IssueState:
    """The current state of an issue, or of an email to one reader, for the page.

    Attributes:
        version: grows with every rendering of any issue.
        rendering: the last rendering that worked, if any has.
        problems: why there is no newer one; empty if the rendering is current.
        single_email: the same as ``rendering``, of an email to one reader.
    """

    version: int
    rendering: Rendering | None
    problems: tuple[RenderProblem, ...] = ()
    single_email: SingleEmailRendering | None = None


class PreviewWorkspace:
    """A project's issues, rendered on request, and again when their files have changed.

    Thread-safe. Errors in a file are never raised: they become problems of the state.

    Args:
        project: the project; read again when ``newsletter.yml`` changes.

    Attributes:
        project: the same, as it was last read.
        engine: the database, if there is one; there are the issues that a welcome email names.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.engine: sa.Engine | None = None
        self._templates: Templates | None = None
        self._config_changed = False
        self._states: dict[str, IssueState] = {}
        self._up_to_date: set[str] = set()
        self._version = 0
        self._lock = Lock()

    def invalidate(self, paths: Iterable[Path]) -> None:
        """Mark everything that depends on these files as out of date."""
        with self._lock:
            for path in paths:
                if path.is_relative_to(self.project.issues_dir):
                    parts = path.relative_to(self.project.issues_dir).parts
                    # A welcome email names the latest issues.
                    self._up_to_date -= {parts[0] if parts else "", "", _WELCOME}
                    continue
                self._up_to_date.clear()
                self._templates = None
                self._config_changed |= path.name == CONFIG_NAME

    def get_state(self, name: str) -> IssueState:
        """Return the issue's state, rendered again if one of its files has changed.

        Without a name, it is that of a folder without issues: empty, and new after each change.
        """
        with self._lock:
            if name not in self._up_to_date:
                # Before reading: a save while it renders makes it stale again.
                self._up_to_date.add(name)
                self._version += 1
                self._states[name] = self._refresh_state(name)
            return self._states[name]

    def _refresh_state(self, name: str) -> IssueState:
        if not name:
            return IssueState(self._version, None)
        previous = self._states.get(name) or IssueState(0, None)
        try:
            if name.startswith(SINGLE_EMAIL_PREFIX):
                email = self._render_single_email(name.removeprefix(SINGLE_EMAIL_PREFIX))
                return IssueState(self._version, None, single_email=email)
            return IssueState(self._version, self._render_issue(name))
        except NewsletterError as error:
            problems = tuple(_make_render_problem(problem) for problem in error.problems)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            problems = (
                RenderProblem(f"a file can't be read: {reason}", file=str(error.filename or "")),
            )
        except Exception as error:  # noqa: BLE001 - no file may break the page
            problems = (
                RenderProblem(f"could not render this email: {type(error).__name__}: {error}"),
            )
        return replace(previous, version=self._version, problems=problems)

    def _render_single_email(self, kind: str) -> SingleEmailRendering:
        from newsletter.web.archive.latest_issues import make_latest_finder

        start = time.perf_counter()
        self._read_changed_config()
        emails = ProjectEmails(self.project)
        now = datetime.datetime.now(datetime.UTC)
        find_issues = make_latest_finder(self.project, self.engine, now)
        missing: list[str] = []

        def find_latest(count: int) -> Sequence[LatestIssue]:
            issues = find_issues(count)
            if not issues:
                missing.append("none sent yet: left out")
            return issues

        email = render_sample_email(emails, kind, self.project.config, now.date(), find_latest)
        own_file = emails.find_own_file(kind)
        source = display_path(own_file) if own_file else "the default text"
        duration_ms = (time.perf_counter() - start) * 1000
        note = next(iter(missing), "")
        return SingleEmailRendering(self.project, kind, email, source, note, duration_ms)

    def _read_changed_config(self) -> None:
        if self._config_changed:
            self.project = open_project(self.project.root)
            self._config_changed = False

    def _render_issue(self, name: str) -> Rendering:
        start = time.perf_counter()
        self._read_changed_config()
        if self._templates is None:
            self._templates = load_templates(self.project.templates_dir)
        folder = self.project.issues_dir / name
        rendered = render_issue_folder(self.project, folder, self._templates)
        duration_ms = (time.perf_counter() - start) * 1000
        return Rendering(self.project, rendered, duration_ms)


def render_in_design(rendering: Rendering, design: str) -> Rendering:
    """Return the same state of an issue in another design; unchanged if there is no such design.

    Raises:
        TemplateError: the design's template is wrong.
        RenderError: the article can't be rendered in it.
    """
    rendered = rendering.rendered
    if design not in rendered.templates.list_designs():
        return rendering
    issue = replace(rendered.issue, template=design)
    email = render_issue(issue, rendered.templates, rendering.config, article=rendered.article)
    return replace(rendering, rendered=replace(rendered, issue=issue, email=email))


def _make_render_problem(problem: Problem) -> RenderProblem:
    location = problem.where
    if location is None:
        return RenderProblem(problem.message, problem.remedy)
    return RenderProblem(
        problem.message, problem.remedy, location.path, location.line, read_excerpt(location)
    )


def read_excerpt(location: Location) -> tuple[tuple[int, str], ...]:
    """Return the numbered lines around a location; none if it has no line or can't be read."""
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
