"""``newsletter build``: render an issue to HTML, text and .eml files."""

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, format_fields, print_json
from newsletter.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from newsletter.checks.finding import Finding
    from newsletter.checks.rule import Rule
    from newsletter.config.models import Config
    from newsletter.posts.content_loss.compare import ContentLoss
    from newsletter.posts.issue import Issue
    from newsletter.posts.removed_line import RemovedLine
    from newsletter.render.article.build import Article
    from newsletter.render.email import Email
    from newsletter.render.issue_folder import RenderedIssue

# The share of Gmail's limit from which the rules on size are asked.
_MAYBE_CLIPPED = 0.8


@click.command("build", short_help="Turn an issue into an email.")
@click.argument("issue", required=False)
@click.option("--open", "show", is_flag=True, help="Show the email in your browser.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def build_command(issue: str | None, *, show: bool, as_json: bool) -> None:
    """Write an issue's email to build/<issue>/: HTML, text and .eml.

    ISSUE is a folder's name or a part of it; the newest if left out. The files are
    for a sample reader of whom only the address is known: merge tags show their
    defaults, and the reader's own links are examples.

    \b
    Examples:
      newsletter build
      newsletter build building-trust --open
    """
    from dataclasses import asdict

    from newsletter.posts.importing.source_inventory import take_source_inventory
    from newsletter.project import display_path, find_issue, open_project
    from newsletter.render.issue_folder import render_issue_folder
    from newsletter.render.lost_content import find_lost_content

    project = open_project()
    config = project.config
    rendered = render_issue_folder(project, find_issue(project, issue))
    source_issue = rendered.issue
    sample, files = _write_sample_files(rendered, config, project.build_dir / source_issue.name)
    summary = _summarize_build(sample, source_issue, rendered.article)
    inventory = take_source_inventory(source_issue.source, source_issue.source_path.name)
    losses = find_lost_content(inventory, source_issue, rendered.article, email=rendered.email)
    findings = _find_findings(rendered, sample, config, losses)
    removed = source_issue.post.removed
    if as_json:
        from newsletter.checks.output import finding_to_dict

        print_json(
            {
                **summary,
                "findings": [finding_to_dict(finding) for finding in findings],
                "removed": [entry._asdict() for entry in removed],
                "lost": [asdict(loss) for loss in losses],
                "files": {path.suffix[1:]: str(path) for path in files},
            }
        )
    else:
        _print_summary(summary, removed, files)
        if findings:
            from newsletter.cli.issue.findings_text import print_findings

            print_findings(findings, display_path(source_issue.source_path))
        echo(f"Next: newsletter check {source_issue.name[11:]}")
    if show:
        import webbrowser

        webbrowser.open(files[0].as_uri())


def _find_findings(
    rendered: "RenderedIssue", sample: "Email", config: "Config", losses: "Sequence[ContentLoss]"
) -> "tuple[Finding, ...]":
    """Return the findings of the checks on loss, size and what a send is refused for.

    Importing a rule takes longer than most of a build, so only those are that may find something.
    """
    from newsletter.render.clip_size import GMAIL_CLIP_BYTES, estimate_sent_bytes
    from newsletter.render.fallback_host import find_unpublished_images

    rules: list[Rule] = []
    if not sample.preheader.strip():
        from newsletter.checks.rules.subject import no_preheader

        rules.append(no_preheader)
    if losses:
        from newsletter.checks.rules.lost_content import lost_content, lost_words

        rules += (lost_content, lost_words)
    if find_unpublished_images(sample, rendered.issue):
        from newsletter.checks.rules.images import unreachable_image

        rules.append(unreachable_image)
    # The rules take the longest values, which makes some difference.
    size = estimate_sent_bytes(sample.html, sample.html.count("<a "), config)
    if size > _MAYBE_CLIPPED * GMAIL_CLIP_BYTES:
        from newsletter.checks.rules.size import clipped, nearly_clipped

        rules += (clipped, nearly_clipped)
    if not config.postal_address:
        from newsletter.checks.rules.delivery import no_postal_address

        rules.append(no_postal_address)
    if not rules:
        return ()
    from newsletter.checks.allowlist import read_exceptions
    from newsletter.checks.check_context import CheckContext

    context = CheckContext(rendered.issue, rendered.article, rendered.email, config)
    allowed = read_exceptions(context)
    return tuple(
        finding for rule in rules if rule.id not in allowed for finding in rule.find(context)
    )


def _write_sample_files(
    rendered: "RenderedIssue", config: "Config", folder: "Path"
) -> "tuple[Email, tuple[Path, ...]]":
    """Write the email for a sample recipient; return it and its files, HTML first."""
    import datetime

    from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
    from newsletter.public_files import write_public_file
    from newsletter.render.article.links import get_host
    from newsletter.render.email import NamedAddress
    from newsletter.render.eml import to_eml
    from newsletter.render.headers import build_unsubscribe_headers
    from newsletter.render.personalization import personalize

    address, token = "reader@example.com", "sample"  # RFC 2606: reserved, belongs to nobody
    issue = rendered.issue
    sample = personalize(
        rendered.email,
        {"email": address},
        unsubscribe_link=build_unsubscribe_url(config, token),
        preferences_link=build_preferences_url(config, token),
    )
    day = issue.post.date or datetime.date.fromisoformat(issue.name[:10])
    eml = to_eml(
        sample,
        NamedAddress("", address),
        # Not the time of building: an unchanged issue must give identical files.
        date=datetime.datetime.combine(day, datetime.time(), datetime.UTC),
        message_id=f"<{issue.name}@{get_host(config.site_url)}>",
        headers=build_unsubscribe_headers(config, token),
    )
    contents = {"html": sample.html.encode(), "txt": sample.text.encode(), "eml": eml}
    files = tuple(folder / f"email.{suffix}" for suffix in contents)
    for path, data in zip(files, contents.values(), strict=True):
        write_public_file(path, data, make_folders=True)
    return sample, files


def _summarize_build(sample: "Email", issue: "Issue", article: "Article") -> dict[str, Any]:
    from newsletter.render.clip_size import GMAIL_CLIP_BYTES

    return {
        "issue": issue.name,
        "subject": sample.subject,
        "preheader": sample.preheader,
        "bytes": len(sample.html.encode()),
        "limit": GMAIL_CLIP_BYTES,
        "links": sample.link_count,
        "images": sample.image_count,
        "words": article.word_count,
        "minutes": article.reading_minutes,
        "notes": [*article.notes, *_iter_notes(sample, issue)],
    }


def _iter_notes(sample: "Email", issue: "Issue") -> "Iterator[str]":
    import html

    if issue.draft:
        yield "this is a draft: it can be tested, not sent"
    if html.escape(sample.view_online_url) not in sample.html:
        yield "the template has no link to view_online_url"


def _print_summary(
    summary: dict[str, Any], removed: "tuple[RemovedLine, ...]", files: "tuple[Path, ...]"
) -> None:
    from newsletter.cli.issue.removed_lines import summarize_removed
    from newsletter.project import display_path
    from newsletter.render.clip_size import describe_size

    for path in files:
        echo(display_path(path), color="green")
    rows = [("subject", summary["subject"])]
    if summary["preheader"]:
        rows.append(("preheader", summary["preheader"]))
    rows += [
        ("read", f"{summary['words']:,} words, {summary['minutes']} min"),
        (
            "holds",
            ", ".join(format_count(summary[f"{noun}s"], noun) for noun in ("link", "image")),
        ),
        ("size", describe_size(summary["bytes"])),
    ]
    rows += [("note", note) for note in summary["notes"]]
    echo(format_fields([*rows, *summarize_removed(removed)]))
