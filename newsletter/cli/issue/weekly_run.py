"""A run of ``newsletter weekly``: what it has done, and how it is told."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from newsletter.cli.issue.check import CheckedIssue, drop_repeated
from newsletter.cli.issue.importing.import_many import ImportedRow
from newsletter.cli.output import echo, format_fields, isolate_bidi, print_problem
from newsletter.errors import NothingToDoError, Problem
from newsletter.posts.importing.post_identity import PostIdentity, identify_post
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
    from newsletter.posts.importing.sources.feeds.check_feed import FeedCheck
    from newsletter.project import Project


@dataclass(slots=True)
class WeeklyRun:
    """What a run has done so far.

    Attributes:
        project: the editor's folder.
        as_json: whether one JSON object is printed at the end.
        checks: what the feeds have new.
        rows: the posts that were imported.
        checked: the issues that were checked.
        problems: what has failed of the posts that can be read.
        is_digest: whether one issue was made of all posts.
        without_card: posts that a digest can't link to.
        later: posts that are too many for one digest.
    """

    project: "Project"
    as_json: bool
    checks: "list[FeedCheck]" = field(default_factory=list)
    rows: list[ImportedRow] = field(default_factory=list)
    checked: list[CheckedIssue] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_digest: bool = False
    without_card: "list[UnreadablePost]" = field(default_factory=list)
    later: "list[SourcePost]" = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether something has failed, or a check has found an error: nothing is scheduled."""
        found = (finding for result in self.checked for finding in result.findings)
        return bool(self.problems) or any(finding.severity == "error" for finding in found)

    @property
    def has_missed_posts(self) -> bool:
        """Whether a new post is in no issue; what the first check of a feed finds is not new."""
        unreadable = any(c.posts.unreadable for c in self.checks if not c.posts.is_first)
        return bool(unreadable or self.without_card)

    @property
    def exit_code(self) -> int:
        """The exit code of a run that schedules nothing."""
        if self.has_errors or self.has_missed_posts:
            return 1
        return 0 if self.rows else NothingToDoError.exit_code

    def list_new(self) -> "list[SourcePost]":
        """Return the new posts of all feeds; one that two feeds have, once."""
        found: list[SourcePost] = []
        identities: list[PostIdentity] = []
        for check in self.checks:
            # Within one feed, posts that share an id or a URL were told apart.
            new = [post for post in check.posts.new if not _is_among(post, identities)]
            found += new
            identities += map(identify_post, new)
        return found

    def list_written(self) -> "list[list[SourcePost]]":
        """Return the posts of each check that the next run need not take."""
        if not self.is_digest:
            rows = iter(self.rows)
            return [
                [post for post in check.posts.new if next(rows).state != "failed"]
                for check in self.checks
            ]
        if self.problems:  # posts without a card are new again: those with one are not repeated
            return [[] for _ in self.checks]
        later = [identify_post(post) for post in self.later]
        return [
            [post for post in check.posts.new if not _is_among(post, later)]
            for check in self.checks
        ]

    def list_missed(self) -> "list[UnreadablePost]":
        """Return the posts that are in no issue, with the reasons; they don't hold up others."""
        unreadable = [post for check in self.checks for post in check.posts.unreadable]
        return [*unreadable, *self.without_card]

    def as_data(self) -> dict[str, Any]:
        """Return the summary for JSON."""
        from newsletter.checks.output import count_by_severity

        findings = {result.issue: count_by_severity(result.findings) for result in self.checked}
        return {
            "feeds": [
                {
                    "url": check.after.url,
                    "new": len(check.posts.new),
                    "unreadable": len(check.posts.unreadable),
                    "is_first_check": check.posts.is_first,
                    "remarks": check.remarks,
                }
                for check in self.checks
            ],
            "issues": [
                {**row.data, "findings": findings.get(str(row.data.get("issue")))}
                for row in self.rows
            ],
            "left_for_next_run": [post.title or post.url for post in self.later],
            "problems": [
                *(str(problem) for problem in self.problems),
                *(f"{post.title}: {post.problem}" for post in self.list_missed()),
            ],
        }


def _is_among(post: "SourcePost", identities: list[PostIdentity]) -> bool:
    identity = identify_post(post)
    return any(identity.is_same_post(other) for other in identities)


def print_run(run: WeeklyRun) -> None:
    """Print what the feeds have new, what was made of it, and what the checks found."""
    from newsletter.cli.issue.findings_text import print_findings

    for check in run.checks:
        for remark in check.remarks:
            print_problem("Note: ", Problem(f"{remark}."))
        if check.posts.is_first:
            known = format_count(len(check.posts.known), "post")
            echo(f"{check.after.url}: first check; seen from now on: {known}.")
            if check.posts.known:
                echo("To import the newest: newsletter import URL --latest")
        else:
            echo(f"{check.after.url}: {format_count(len(check.posts.new), 'new post')}.")
    _print_rows(run.rows)
    for problem in dict.fromkeys(run.problems):
        if not any(problem in row.problems for row in run.rows):
            print_problem("Not checked: ", problem)
    for post in run.list_missed():
        print_problem(f"Not imported: {isolate_bidi(post.title)}: ", post.problem)
    for result in drop_repeated(run.checked):
        print_findings(result.findings, result.source)
    if run.later:
        echo(f"Left for the next run: {format_count(len(run.later), 'post')}; a digest is full.")


def _print_rows(rows: list[ImportedRow]) -> None:
    printed = set[str]()
    for row in rows:
        if row.state == "unchanged" and row.data.get("issue") in printed:
            continue  # two feeds have the post
        printed.add(str(row.data.get("issue")))
        if row.path:
            echo(row.path, color="green" if row.state == "new" else None)
        if row.rows:
            echo(format_fields(row.rows))
        for problem in row.problems:
            print_problem(f"Not imported: {isolate_bidi(row.title)}: ", problem)
