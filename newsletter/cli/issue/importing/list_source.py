"""List the posts of a feed, an export or a folder."""

import sys
import textwrap
from typing import TYPE_CHECKING, Any

from newsletter.cli.issue.importing.import_many import describe_left_out
from newsletter.cli.output import WIDTH, echo, isolate_bidi, print_json, print_problem
from newsletter.cli.table import align_rows
from newsletter.cli.wrap_message import get_stream_width
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.posts.importing.choose_posts import PostChooser
    from newsletter.posts.importing.source_post import PostCollection
    from newsletter.project import Project


def print_source_list(
    project: "Project", collection: "PostCollection", chooser: "PostChooser", *, as_json: bool
) -> None:
    """Print the posts that an import would choose, and the issues of those imported before."""
    from newsletter.posts.importing.issue_folder.issue_index import IssueIndex
    from newsletter.posts.importing.post_identity import PostIdentity, identify_post
    from newsletter.posts.importing.source_post import UnreadablePost

    identities: list[PostIdentity] = []
    listed: list[dict[str, Any]] = []
    unreadable: list[UnreadablePost] = []
    for post in chooser.iter_chosen(collection.iter_posts()):
        if isinstance(post, UnreadablePost):
            unreadable.append(post)
            continue
        identities.append(identify_post(post))
        listed.append(
            {
                "title": post.title,
                "date": post.date.astimezone(chooser.timezone).isoformat() if post.date else None,
                "status": post.status,
                "kind": post.kind,
                "slug": post.slug,
                "id": post.post_id,
                "url": post.url,
                "tags": post.tags,
                "is_teaser": post.is_teaser,
            }
        )
    for row, folder in zip(listed, IssueIndex(project).find_all(identities), strict=True):
        row["issue"] = folder.name if folder else None
    other_items = dict(collection.list_other_items())
    if as_json:
        print_json(
            {
                "kind": collection.description,
                "posts": listed,
                "unreadable": [
                    {"title": post.title, "problem": str(post.problem)} for post in unreadable
                ],
                "not_chosen": dict(chooser.not_chosen),
                "other_items": other_items,
            }
        )
        return
    _print_table(listed)
    for post in unreadable:
        print_problem(f"Can't be read: {isolate_bidi(post.title)}: ", post.problem)
    imported = sum(1 for row in listed if row["issue"])
    more = f", {imported} of them imported before" if imported else ""
    echo(f"{collection.description}: {format_count(len(listed), 'post')}{more}.")
    if left := describe_left_out(chooser.not_chosen, other_items):
        echo(textwrap.fill(f"Also in it: {left}.", WIDTH))


def _print_table(listed: list[dict[str, Any]]) -> None:
    width = get_stream_width(sys.stdout)
    rows = [
        (
            (row["date"] or "")[:10],
            row["title"] or row["slug"] or row["url"] or row["id"],
            "teaser" if row["is_teaser"] else "",
            "" if row["status"] == "published" else row["status"],
            row["issue"] or "",
        )
        for row in listed
    ]
    for line in align_rows(rows, width=width, cut_column=1):
        echo(line)
