"""Load the input of the rules from the project folder and the database."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from newsletter.checks.analysis.client_support import PUBLISHED_SHARES, ClientShares
from newsletter.checks.check_context import CheckContext
from newsletter.db import database_engine, read_transaction
from newsletter.db.column_types import ByCodePoint
from newsletter.db.engine import sqlite_file
from newsletter.db.schema import subscriber
from newsletter.errors import NewsletterError
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.project import Project
from newsletter.project.folder import list_issue_folders
from newsletter.render.email import Email
from newsletter.render.issue_folder import RenderedIssue

_SOURCE_NAMES = ("post.md", "post.html")
_FRONT_MATTER_CHARACTERS = 8_000  # read of each earlier post: enough for its front matter


def load_check_context(
    project: Project,
    rendered: RenderedIssue,
    longest_values: Mapping[str, str] | None = None,
    client_shares: ClientShares = PUBLISHED_SHARES,
) -> CheckContext:
    """Return the input of the rules for one issue.

    Args:
        project: the project; earlier issues' subjects are read from its folder.
        rendered: the issue and its email.
        longest_values: attribute -> the longest value of any active subscriber; if not given, the
            merge tags' defaults are used.
        client_shares: the share of the subscribers who use each mail client.
    """
    return CheckContext(
        rendered.issue,
        rendered.article,
        rendered.email,
        project.config,
        longest_values or {},
        load_earlier_subjects(project, rendered.issue.name),
        client_shares,
        templates=rendered.templates,
    )


def load_earlier_subjects(project: Project, issue_name: str) -> dict[str, str]:
    """Return the subject of every earlier issue by its folder's name, newest first."""
    folders = [folder for folder in list_issue_folders(project) if folder.name < issue_name]
    found: dict[str, str] = {}
    for folder in reversed(folders):
        for file in _SOURCE_NAMES:
            # An unreadable post is reported when that issue is checked itself.
            with suppress(OSError, UnicodeError, NewsletterError):
                with (folder / file).open(encoding="utf-8") as post:
                    data = split_front_matter(post.read(_FRONT_MATTER_CHARACTERS), file).data
                if subject := data.get("subject") or data.get("title"):
                    found[folder.name] = str(subject)
    return found


def load_longest_values(engine: sa.Engine, attributes: Iterable[str]) -> dict[str, str]:
    """Return the longest value of each attribute among the active subscribers."""
    with read_transaction(engine) as connection:
        return {name: _load_longest_value(connection, name) for name in attributes}


@contextmanager
def open_existing_list(project: Project) -> Iterator[sa.Engine | None]:
    """Open the project's database; yield ``None`` if it doesn't exist, and don't create it."""
    file = sqlite_file(project.config.database, project.root)
    if file is not None and not file.is_file():
        yield None
        return
    with database_engine(project.config.database, project.root, project.config.id) as engine:
        yield engine


def get_used_attributes(email: Email) -> list[str]:
    """Return the subscriber attributes that the email's merge tags use, sorted."""
    return sorted({tag.attribute for tag in email.merge_tags} - {"unsubscribe", "preferences"})


def _load_longest_value(connection: sa.Connection, name: str) -> str:
    columns = {"name": subscriber.c.name, "email": subscriber.c.address}
    attribute_value: sa.ColumnElement[str] = sa.cast(subscriber.c.attributes[name], sa.Text)
    value: sa.ColumnElement[str] = columns.get(name, attribute_value)
    query = (
        sa.select(value)
        .where(subscriber.c.status == "active", value.is_not(None))
        .order_by(sa.func.length(value).desc(), ByCodePoint(value))
        .limit(1)
    )
    found = connection.scalar(query)
    if found is None or name in columns:
        return str(found or "")
    with suppress(ValueError):
        return str(json.loads(found))
    return str(found)
