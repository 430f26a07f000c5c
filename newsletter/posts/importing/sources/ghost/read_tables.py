"""Read the tables of a Ghost export that hold posts, and nothing else.

The file also holds the site's keys, its sessions and its members. They are dropped as soon as the
file is parsed, and no message quotes the file.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from newsletter.errors import Location, PostError, display_path

Row = Mapping[str, Any]

MAX_EXPORT_BYTES = 200_000_000  # takes about 1 GB of memory for a moment
NEWEST_VERSION = 6
_HEAD_BYTES = 4_096
_HEAD = re.compile(
    rb"\s*\{\s*\"(?:db\"\s*:\s*\[\s*\{\s*\"(?:meta|data)\"\s*:"
    rb"|meta\"\s*:\s*\{[^{}]{0,300}\"(?:exported_on|version)\""
    rb"|data\"\s*:\s*\{\s*\"\w+\"\s*:\s*\[)"
)
_VERSION = re.compile(r"(\d{1,3})(?:\.|$)")


@dataclass(frozen=True, slots=True)
class GhostTables:
    """What is taken from an export.

    Attributes:
        posts: the rows of all posts and pages, in its order.
        metas: a post's id -> its row of ``posts_meta``.
        authors: a post's id -> the names of its authors.
        tags: a post's id -> its public tags.
        version: the version of Ghost as written, or empty.
    """

    posts: tuple[Row, ...]
    metas: Mapping[str, Row]
    authors: Mapping[str, tuple[str, ...]]
    tags: Mapping[str, tuple[str, ...]]
    version: str = ""

    @property
    def is_newer(self) -> bool:
        """Whether it is of a version that wasn't out when this was written."""
        found = _VERSION.match(self.version)
        return found is not None and int(found[1]) > NEWEST_VERSION


def is_ghost_export(path: Path) -> bool:
    """Return whether a file begins as a Ghost export does.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return _HEAD.match(file.read(_HEAD_BYTES).removeprefix(codecs.BOM_UTF8)) is not None


def read_ghost_tables(path: Path) -> GhostTables:
    """Return the tables with the posts of an export.

    Raises:
        PostError: it is too large, damaged, or not an export of Ghost.
        OSError: it can't be read.
    """
    where = Location(display_path(path))
    if path.stat().st_size > MAX_EXPORT_BYTES:
        raise PostError(
            f"the Ghost export has more than {MAX_EXPORT_BYTES:,} bytes",
            where=where,
            remedy="Delete what you don't want to import in a copy of the site, and export that.",
        )
    export = _parse_export(path.read_bytes().removeprefix(codecs.BOM_UTF8), where)
    tables = export.get("data")
    if not isinstance(tables, dict) or not isinstance(tables.get("posts"), list):
        raise PostError(
            "there are no posts in the Ghost export",
            where=where,
            remedy="Export the content again, in Ghost under Settings, Import/Export.",
        )
    meta = export.get("meta")
    version = meta.get("version") if isinstance(meta, dict) else ""
    users = {
        get_row_id(row): name for row in _list_rows(tables, "users") if (name := _get_name(row))
    }
    tags = {
        get_row_id(row): name
        for row in _list_rows(tables, "tags")
        if (name := _get_name(row)) and not name.startswith("#")
    }
    posts = tuple(_list_rows(tables, "posts"))
    authors = _list_names(tables, "posts_authors", "author_id", users)
    for row in posts:  # one author a post, up to version 1
        if (post_id := get_row_id(row)) not in authors:
            author = users.get(str(row.get("author_id") or row.get("author") or ""))
            authors |= {post_id: (author,)} if author else {}
    return GhostTables(
        posts=posts,
        metas={str(row.get("post_id")): row for row in _list_rows(tables, "posts_meta")},
        authors=authors,
        tags=_list_names(tables, "posts_tags", "tag_id", tags),
        version=version[:20] if isinstance(version, str) else "",
    )


def get_row_id(row: Row) -> str:
    """Return a row's id as text: a number in old versions; empty if it has none."""
    row_id = row.get("id")
    return str(row_id) if isinstance(row_id, str | int) else ""


def _parse_export(data: bytes, where: Location) -> dict[str, Any]:
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        # Without the error's context: that holds the whole file.
        line = data.count(b"\n", 0, error.pos) + 1
        raise PostError(
            "the Ghost export is damaged: it is not complete JSON",
            where=where._replace(line=line),
            remedy="Export the content again.",
        ) from None
    if isinstance(parsed, dict) and isinstance(parsed.get("db"), list):
        parsed = next(iter(parsed["db"]), None)
    if not isinstance(parsed, dict):
        raise PostError(
            "this is not an export of Ghost",
            where=where,
            remedy="Use the JSON file of Ghost's Settings, Import/Export.",
        )
    return parsed


def _list_rows(tables: Mapping[str, Any], name: str) -> list[Row]:
    rows = tables.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _get_name(row: Row) -> str:
    name = row.get("name")
    return " ".join(name.split()) if isinstance(name, str) else ""


def _list_names(
    tables: Mapping[str, Any], name: str, key: str, names: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the names that a table joins to each post, in the order that it states."""
    found: dict[str, list[tuple[float, str]]] = {}
    for row in _list_rows(tables, name):
        if item := names.get(str(row.get(key))):
            stated = row.get("sort_order")
            order = stated if isinstance(stated, int | float) else 0
            found.setdefault(str(row.get("post_id")), []).append((order, item))
    return {
        post_id: tuple(dict.fromkeys(item for _, item in sorted(items, key=lambda pair: pair[0])))
        for post_id, items in found.items()
    }
