"""``newsletter build``: render an issue to HTML, text and .eml files."""

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, format_fields, print_json
from newsletter.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from newsletter.config.models import Config
    from newsletter.posts.content_loss.compare import ContentLoss
    from newsletter.posts.issue import Issue
    from newsletter.posts.removed_line import RemovedLine
    from newsletter.render.article.build import Article
    from newsletter.render.email import Email


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

    from newsletter.posts.read_issue import read_issue
    from newsletter.project import find_issue, open_project
    from newsletter.render.article.build import build_article
    from newsletter.render.issue import render_issue
    from newsletter.render.template.loader import load_templates

    project = open_project()
    config = project.config
    source_issue = read_issue(find_issue(project, issue), config)
    email = render_issue(source_issue, load_templates(project.templates_dir), config)
    sample, files = _write_sample_files(
        email, source_issue, config, project.build_dir / source_issue.name
    )
    article = build_article(source_issue, config)
    summary = _summarize_build(sample, source_issue, config, article)
    losses = _find_losses(source_issue, article, email)
    removed = source_issue.post.removed
    summary["removed"] = [entry._asdict() for entry in removed]
    summary["lost"] = [asdict(loss) for loss in losses]
    if as_json:
        paths = {path.suffix[1:]: str(path) for path in files}
        print_json({**summary, "files": paths})
    else:
        _print_summary(summary, removed, losses, files)
    if show:
        import webbrowser

        webbrowser.open(files[0].as_uri())


def _find_losses(issue: "Issue", article: "Article", email: "Email") -> "tuple[ContentLoss, ...]":
    """Return what the post's file holds and the email doesn't."""
    from newsletter.posts.importing.source_inventory import take_source_inventory
    from newsletter.posts.text_encoding import decode_text
    from newsletter.project import display_path
    from newsletter.render.lost_content import find_lost_content

    text = decode_text(issue.source_path.read_bytes(), display_path(issue.source_path))
    source = take_source_inventory(text, issue.source_path.name)
    return find_lost_content(source, issue, article, email=email)


def _write_sample_files(
    email: "Email", issue: "Issue", config: "Config", folder: "Path"
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
    sample = personalize(
        email,
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


def _summarize_build(
    sample: "Email", issue: "Issue", config: "Config", article: "Article"
) -> dict[str, Any]:
    import re

    from newsletter.render.clip_size import GMAIL_CLIP_BYTES

    return {
        "issue": issue.name,
        "subject": sample.subject,
        "preheader": sample.preheader,
        "bytes": len(sample.html.encode()),
        "limit": GMAIL_CLIP_BYTES,
        "links": len(re.findall(r"<a\b[^>]*\shref=\"(?!#)", sample.html)),
        "images": len(re.findall(r"<img\b", sample.html)),
        "words": article.word_count,
        "minutes": article.reading_minutes,
        "notes": [*article.notes, *_iter_notes(sample, issue, config)],
    }


def _iter_notes(sample: "Email", issue: "Issue", config: "Config") -> "Iterator[str]":
    import html

    from newsletter.render.fallback_host import find_unpublished_images

    if issue.draft:
        yield "this is a draft: it can be tested, not sent"
    if not sample.preheader:
        yield "no preheader: inboxes will show the first words of the email"
    if names := find_unpublished_images(sample, issue):
        yield f"no public address for {', '.join(names)}: a real send is refused without one"
    if html.escape(sample.view_online_url) not in sample.html:
        yield "the template has no link to view_online_url"
    if not config.postal_address:
        yield "no postal_address in newsletter.yml: a real send is refused without it"


def _print_summary(
    summary: dict[str, Any],
    removed: "tuple[RemovedLine, ...]",
    losses: "tuple[ContentLoss, ...]",
    files: "tuple[Path, ...]",
) -> None:
    from newsletter.cli.issue.removed_lines import summarize_removed
    from newsletter.posts.content_loss.describe import summarize_losses
    from newsletter.project import display_path
    from newsletter.render.clip_size import NEARLY_CLIPPED

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
        ("size", f"{summary['bytes'] / 1024:,.0f} KB of the 102 KB that Gmail shows"),
    ]
    rows += [("note", note) for note in summary["notes"]]
    echo(format_fields([*rows, *summarize_removed(removed)]))
    if losses:
        echo("Not in the email, though the post holds it:", color="red")
        echo(format_fields(("lost", phrase) for phrase in summarize_losses(losses)))
    if summary["bytes"] > summary["limit"]:
        echo("Gmail will cut the end off, and the footer with it. Shorten it.", color="red")
    elif summary["bytes"] >= NEARLY_CLIPPED * summary["limit"]:
        echo("Gmail may soon cut the end off.", color="yellow")
    echo(f"Next: newsletter send {summary['issue'][11:]} --dry-run")
