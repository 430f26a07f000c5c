"""Read date, slug and title from the path of a post."""

import datetime
import re
from dataclasses import dataclass
from pathlib import PurePath

from newsletter.posts.slug import slugify

# 2026-10-02-gulls.md (Jekyll), 2026-10-02_gulls.md (Zola), 2026-10-02_Gulls-….html (Medium)
_DATE_PREFIX = re.compile(r"(\d{4})([-_.])(\d{1,2})\2(\d{1,2})(?:[-_. ]+|$)")
# A folder with its pictures: gulls/index.md; Hugo adds the language, index.nb.md.
_BUNDLE_FILE = re.compile(r"_?index(?:\.[a-z]{2}(?:-[a-z]{2})?)?", re.IGNORECASE)
_DATED_FOLDERS = re.compile(r"(?:^|/)(\d{4})/(\d{1,2})/(\d{1,2})(?:/[^/]+)?$")
_MEDIUM_ID = re.compile(r"-{1,2}[0-9a-f]{10,12}$")
_SUBSTACK_ID = re.compile(r"^\d{5,}\.(?=\D)")


@dataclass(frozen=True, slots=True)
class FileNameSettings:
    """What the path of a post tells of it.

    Attributes:
        date: of a name like ``2026-10-02-gulls.md``, or of its folders (``2026/10/02``), or
            ``None``.
        slug: of such a name, or of the folder of ``gulls/index.md``; empty for other names, which
            are often only working titles.
        title: the name as words; empty if it has none.
    """

    date: datetime.date | None = None
    slug: str = ""
    title: str = ""


def parse_file_name(path: PurePath) -> FileNameSettings:
    """Return the settings in a post's path."""
    name = path.stem if path.suffix else path.name
    is_bundle = bool(_BUNDLE_FILE.fullmatch(name) and path.parent.name)
    if is_bundle:
        name = path.parent.name
    without_id = _SUBSTACK_ID.sub("", name)
    name, is_export = without_id, without_id != name
    date = None
    if prefix := _DATE_PREFIX.match(name):
        date = _make_date(prefix[1], prefix[3], prefix[4])
    words = name[prefix.end() :] if prefix and date else name
    if date and path.suffix.lower() in {".html", ".htm"}:
        words = _MEDIUM_ID.sub("", words)
    slug = slugify(words) if date or is_bundle or is_export else ""
    title = re.sub(r"[-_\s]+", " ", words or name).strip()
    if date is None and (folders := _DATED_FOLDERS.search(path.parent.as_posix())):
        date = _make_date(*folders.groups())
    return FileNameSettings(date, slug, title[:1].upper() + title[1:])


def _make_date(*parts: str) -> datetime.date | None:
    year, month, day = map(int, parts)
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None
