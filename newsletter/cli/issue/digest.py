"""``newsletter digest``: make one issue of several posts."""

import datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, format_fields, isolate_bidi, print_json
from newsletter.errors import Location, NothingToDoError, PostError, UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.posts.digest.make_digest import MadeDigest
    from newsletter.posts.digest.offers import OfferedPosts
    from newsletter.posts.digest.select_posts import DigestCard
    from newsletter.posts.importing.source_post import PostCollection
    from newsletter.project import Project

_MAX_SHOWN = 12  # posts over the limit that are named


@click.command("digest", short_help="Make one issue of several posts.")
@click.option(
    "--since",
    metavar="last|DATE",
    default="last",
    show_default=True,
    help="Posts since the last digest, or since a day (2026-11-22).",
)
@click.option(
    "--from",
    "sources",
    metavar="SOURCE",
    multiple=True,
    help="The posts of a feed, an export or a folder, not the issues; may be repeated.",
)
@click.option(
    "--tag",
    "tags",
    metavar="TAG",
    multiple=True,
    help="Only posts with the tag; of several tags, each becomes a section.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=12,
    show_default=True,
    metavar="N",
    help="At most so many posts, the newest.",
)
@click.option(
    "--base-url",
    metavar="URL",
    default="",
    help="With --from: the blog's URL, if an export or a folder doesn't have it.",
)
@click.option("--title", default="", help="The issue's title; newsletter and date if not given.")
@click.option("--slug", default="", help="The issue's name; digest-<date> if not given.")
@click.option("--again", is_flag=True, help="Take posts of earlier digests, too.")
@json_option
def digest_command(*, as_json: bool, **options: Any) -> int:
    """Make a draft of one issue from several posts: a card for each, with image and excerpt.

    The posts are the issues in issues/ that are no drafts and have an address on the web: a
    canonical_url, or their own page once they were sent. With --from, they are those of a feed,
    an export or a content folder, as newsletter import reads them; pictures on the web stay
    there.

    A post that an earlier digest lists isn't repeated. The introduction and the order of the
    posts are yours. Exits with 3 if there is nothing new.

    \b
    Examples:
      newsletter digest
      newsletter digest --since 2026-11-01 --tag harbour --tag people
      newsletter digest --from https://harbournotes.example/feed.xml --limit 6
    """
    from newsletter.posts.digest.make_digest import DigestRequest, make_digest
    from newsletter.project import open_project

    project = open_project()
    today = _get_today(project)
    sources: tuple[str, ...] = options["sources"]
    if "" in sources:  # a variable that a script hasn't set
        raise UsageError("--from is empty", remedy="Name a feed, an export or a folder.")
    request = DigestRequest(
        today,
        " ".join(options["title"].split()) or make_digest_title(project, today),
        options["slug"],
        _parse_since(options["since"]),
        options["tags"],
        options["limit"],
        options["again"],
    )
    digest = make_digest(
        project,
        lambda since: (
            _offer_sources(project, sources, today, options["base_url"])
            if sources
            else _offer_issues(project, since)
        ),
        request,
    )
    for problem in digest.problems:
        echo_err(f"Left out: {problem}", color="yellow")
    if as_json:
        print_json(_to_dict(digest))
    elif digest.path is None:
        raise _make_nothing_error(digest)
    else:
        _print_digest(digest, digest.path)
    return 0 if digest.path else NothingToDoError.exit_code


def _get_today(project: "Project") -> datetime.date:
    from zoneinfo import ZoneInfo

    return datetime.datetime.now(ZoneInfo(project.config.timezone)).date()


def make_digest_title(project: "Project", today: datetime.date) -> str:
    """Return the title of a digest: the newsletter's name and the date."""
    from newsletter.render.locale import format_date

    return f"{project.config.name}, {format_date(today, project.config.language)}"


def _parse_since(text: str) -> "datetime.date | Literal['last']":
    if text == "last":
        return "last"
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since '{text}' is not a valid date",
            remedy="Write year, month and day, or last: --since 2026-11-22",
        ) from None


def _offer_issues(project: "Project", since: datetime.date | None) -> "OfferedPosts":
    from newsletter.checks.load_context import open_existing_list
    from newsletter.posts.digest.offers import offer_issues
    from newsletter.sending.ledger.find_sends import find_sends_by_issue, open_ledger

    sent: set[str] = set()
    with open_existing_list(project) as engine:
        if engine is not None:
            sends = find_sends_by_issue(open_ledger(engine, project.config))
            sent = {name for name, send in sends.items() if send.phase == "done"}
    return offer_issues(project, since, sent)


def _offer_sources(
    project: "Project", sources: tuple[str, ...], today: datetime.date, base_url: str
) -> "OfferedPosts":
    from zoneinfo import ZoneInfo

    from newsletter.posts.digest.offers import OfferedPosts, offer_posts
    from newsletter.posts.importing.choose_posts import PostChooser, PostSelection
    from newsletter.posts.importing.import_source_post import SourceImportOptions
    from newsletter.url_secrets import mask_url_secrets

    timezone = ZoneInfo(project.config.timezone)
    everything = OfferedPosts()
    for source in sources:
        collection = _open_collection(project, source, base_url)
        chooser = PostChooser(PostSelection(), timezone)
        offered = offer_posts(
            project,
            chooser.iter_chosen(collection.iter_posts()),
            SourceImportOptions(mask_url_secrets(source), today, timezone),
        )
        everything.offers += offered.offers
        everything.unreadable += offered.unreadable
        everything.left_out += chooser.not_chosen
    return everything


def _open_collection(project: "Project", source: str, base_url: str) -> "PostCollection":
    """Return the posts of a feed on the web, or of a file or folder.

    Raises:
        NewsletterError: it can't be read, or is one post.
    """
    from pathlib import Path

    from newsletter.cli.issue.importing.import_request import get_source_settings, is_url
    from newsletter.cli.issue.importing.web_content import make_downloader
    from newsletter.posts.importing.open_source import open_source
    from newsletter.posts.importing.sources.feeds.parse_feed import parse_feed

    settings = get_source_settings(project, base_url)
    if is_url(source):
        max_bytes = project.config.limits.post_bytes
        download = make_downloader(project).download(source, max_bytes=max_bytes)
        return parse_feed(
            download.body, url=download.url, headers=download.headers, settings=settings
        )
    collection = open_source([source], settings)
    if collection is None:
        if not Path(source).exists():
            raise PostError(
                "there is no such file or folder", where=Location(source), remedy="Check the path."
            )
        raise PostError(
            f"{source} is not a feed, export or content folder",
            remedy="Import one post with: newsletter import POST",
        )
    return collection


def _make_nothing_error(digest: "MadeDigest") -> NothingToDoError:
    from newsletter.posts.digest.select_posts import UNPUBLISHED

    start = digest.last_digest or digest.since
    after = f" since {start}" if start else ""
    left_out = f" (left out: {counts})" if (counts := _describe_left_out(digest)) else ""
    remedy = "Choose an earlier day with --since, or repeat posts with --again."
    if digest.left_out[UNPUBLISHED]:
        remedy = (
            "Unpublished posts have no address on the web: issues need canonical_url, and "
            "folders and exports --base-url, or blog.permalink in newsletter.yml."
        )
    return NothingToDoError(f"no post is new{after}; no digest was made{left_out}", remedy=remedy)


def _describe_left_out(digest: "MadeDigest") -> str:
    return ", ".join(format_count(count, noun) for noun, count in digest.left_out.items())


def _print_digest(digest: "MadeDigest", path: "Path") -> None:
    from newsletter.project import display_path

    echo(display_path(path), color="green")
    count = f"{len(digest.cards):,}"
    first = f"{count} since {digest.since}" if digest.since else count
    rows = [("posts", "\n".join([first, *map(_format_card, digest.cards)]))]
    left_out = _describe_left_out(digest)
    if digest.over_limit and not digest.since:
        older = format_count(len(digest.over_limit), "earlier post")
        left_out = ", ".join(filter(None, (left_out, older)))
    if left_out:
        rows.append(("left out", left_out))
    if digest.over_limit and digest.since:
        shown = [isolate_bidi(title) for title in digest.over_limit[:_MAX_SHOWN]]
        more = len(digest.over_limit) - len(shown)
        count = format_count(len(digest.over_limit), "post")
        lines = [f"{count} over --limit, which no later digest takes by itself:", *shown]
        rows.append(("not in it", "\n".join([*lines, *([f"and {more:,} more"] if more else [])])))
    echo(format_fields(rows))
    echo(f"Next: write the introduction in {display_path(path)}, then")
    echo(f"      newsletter preview {path.parent.name[11:]}")


def _format_card(card: "DigestCard") -> str:
    title = _show_braces(card.title)
    return isolate_bidi(f"{card.section}: {title}" if card.section else title)


def _show_braces(text: str) -> str:
    """Return a text of the front matter as readers see it."""
    from newsletter.posts.merge_tags.compiler import write_literals_as

    return write_literals_as(text)


def _to_dict(digest: "MadeDigest") -> dict[str, Any]:
    from newsletter.project import display_path

    path = digest.path
    return {
        "issue": path.parent.name if path else None,
        "path": display_path(path) if path else None,
        "since": digest.since.isoformat() if digest.since else None,
        "posts": [
            {
                "title": _show_braces(card.title),
                "url": card.url,
                "section": card.section,
                "minutes": card.minutes,
                "date": card.date.isoformat() if card.date else None,
                "picture": card.picture.src if card.picture else None,
                "id": card.post_id,
            }
            for card in digest.cards
        ],
        "left_out": dict(digest.left_out),
        "over_limit": digest.over_limit,
        "unreadable": [str(problem) for problem in digest.problems],
    }
