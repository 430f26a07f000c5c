"""Build the URL of a post as its site's generator does, where that is sure."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.posts.importing.sources.content_folder.site import ContentSite

_JEKYLL_STYLES = {
    "date": "/:categories/:year/:month/:day/:title.html",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "ordinal": "/:categories/:year/:y_day/:title.html",
    "none": "/:categories/:title.html",
}
_TOKEN = re.compile(r":(?:\w+)(?:\[[^\]]*\])?")
_DATE_START = re.compile(r"\d{4}-\d{1,2}-\d{1,2}[-_]")
_ELEVENTY_SLUG = re.compile(r"\{\{-?\s*page\.fileSlug\s*-?\}\}")
_SAFE_CHARACTERS = "/~!$&'()*,+;=:@"
_UNFOUND = re.compile(r"[:{}<>*\[\]]")
_ROUTE_NAMES = ("slug", "id", "post", "entry", "page")


@dataclass(frozen=True, slots=True)
class PostFile:
    """What the URL of a post is made of.

    Attributes:
        path: its file.
        relative: the same, from its content folder.
        name: the file's or its bundle's name, without date, language and suffix.
        settings: its front matter, keys folded (``squash_key``).
        title: the title in its front matter, or empty.
        date: its date as written, or ``None``.
        language: that of its file's name, or its content folder's; or empty.
        is_bundle: whether it is a folder with an ``index`` file.
        is_sure: whether no program can change its URL.
    """

    path: Path
    relative: PurePosixPath
    name: str
    settings: Mapping[str, Any]
    title: str
    date: datetime.date | None
    language: str = ""
    is_bundle: bool = False
    is_sure: bool = True

    @property
    def sections(self) -> tuple[str, ...]:
        """The folders that it is in, without its bundle's."""
        parts = self.relative.parts[:-1]
        return parts[:-1] if self.is_bundle else parts

    def get_text(self, key: str) -> str:
        """Return a setting if it is text, else an empty text."""
        value = self.settings.get(key)
        return value.strip() if isinstance(value, str) else ""


def build_post_url(site: ContentSite, post: PostFile, pattern: str) -> str:
    """Return the URL of a post; empty if it isn't sure.

    Args:
        site: the site.
        post: the post.
        pattern: the editor's own pattern, for what the site's settings don't say; or empty.
    """
    for key in ("url", "permalink"):
        if post.get_text(key).startswith(("https://", "http://")):
            return post.get_text(key)
    has_own = any(post.get_text(key) for key in ("url", "permalink", "path")) or any(
        site.config.get(key) for key in ("permalink", "permalinks")
    )
    if site.base_url and post.is_sure and (has_own or not pattern):
        build = {
            "Jekyll": _build_jekyll,
            "Hugo": _build_hugo,
            "Zola": _build_zola,
            "Eleventy": _build_eleventy,
            "Astro": _build_astro,
        }.get(site.generator)
        path = build(site, post) if build else ""
        if path and not _UNFOUND.search(path):
            path = quote(re.sub(r"/{2,}", "/", f"/{path}"), safe=_SAFE_CHARACTERS + "%")
            return site.base_url + path
    return _fill_pattern(pattern, post)


def _fill_pattern(pattern: str, post: PostFile) -> str:
    slug = post.get_text("slug") or _DATE_START.sub("", post.name)
    if (
        not pattern
        or not slug
        or (post.date is None and re.search(r"\{(?:year|month|day)", pattern))
    ):
        return ""
    values = {"{slug}": quote(slug)}
    if post.date:
        values |= {
            "{year}": f"{post.date:%Y}",
            "{month}": f"{post.date:%m}",
            "{day}": f"{post.date:%d}",
        }
    for name, value in values.items():
        pattern = pattern.replace(name, value)
    return pattern


def _fill_tokens(pattern: str, values: Mapping[str, str | None]) -> str:
    """Return a pattern like ``/:year/:title/`` filled in; empty if a token isn't known."""
    tokens = [found[0] for found in _TOKEN.finditer(pattern)]
    if any(values.get(token) is None for token in tokens):
        return ""
    return _TOKEN.sub(lambda found: values[found[0]] or "", pattern)


def _list_date_tokens(date: datetime.date | None) -> dict[str, str | None]:
    if date is None:
        return {}
    return {
        ":year": f"{date:%Y}",
        ":month": f"{date:%m}",
        ":day": f"{date:%d}",
        ":short_year": f"{date:%y}",
        ":i_month": str(date.month),
        ":i_day": str(date.day),
        ":y_day": f"{date:%j}",
        ":yearday": str(date.timetuple().tm_yday),
    }


def _build_jekyll(site: ContentSite, post: PostFile) -> str:
    name = re.sub(r"[^\w.~!$&'()+,;=@]+", "-", post.get_text("slug") or post.name).strip("-")
    parts = post.relative.parts
    above = parts[: parts.index("_posts")] if "_posts" in parts else ()
    labels = [
        *above,
        *_list_words(post.settings, "categories"),
        *_list_words(post.settings, "category"),
    ]
    categories = "/".join(dict.fromkeys(label.lower() for label in labels))
    style = str(post.settings.get("permalink") or site.config.get("permalink") or "date")
    values: dict[str, str | None] = {
        **_list_date_tokens(_localize(post.date, site)),
        ":title": name,
        ":slug": name.lower() if name.isascii() else None,
        ":categories": categories,
        ":output_ext": ".html",
    }
    return _fill_tokens(_JEKYLL_STYLES.get(style, style), values)


def _localize(date: datetime.date | None, site: ContentSite) -> datetime.date | None:
    """Return a date in the site's zone; ``None`` if its day depends on a zone that isn't known."""
    if not isinstance(date, datetime.datetime) or date.tzinfo is None:
        return date
    name = site.config.get("timezone")
    if isinstance(name, str):
        try:
            return date.astimezone(ZoneInfo(name))
        except (ValueError, ZoneInfoNotFoundError, OSError, OverflowError):
            return None
    return date if date.date() == date.astimezone(datetime.UTC).date() else None


def _list_words(settings: Mapping[str, Any], key: str) -> list[str]:
    """Return a list of text, or the words of a text."""
    value = settings.get(key)
    if isinstance(value, str):
        return value.split() if key == "categories" else [value]
    return [str(item) for item in value] if isinstance(value, list) else []


def _build_hugo(site: ContentSite, post: PostFile) -> str:
    prefix = _get_hugo_prefix(site, post)
    if prefix is None:
        return ""
    own = post.get_text("url")
    if own:
        return own if own.startswith("/") else f"/{prefix}/{own}"
    sections = post.sections
    slug = post.get_text("slug")
    pattern = _find_hugo_pattern(site, sections[0] if sections else "")
    title = _urlize(post.title) or None
    if pattern:
        values: dict[str, str | None] = {
            **_list_date_tokens(post.date),
            ":section": sections[0] if sections else "",
            ":sections": "/".join(sections),
            ":title": title,
            ":slug": _urlize(slug) or title,
            ":filename": _urlize(post.name),
            ":contentbasename": _urlize(post.name),
            ":slugorfilename": _urlize(slug or post.name),
            ":slugorcontentbasename": _urlize(slug or post.name),
        }
        path = _fill_tokens(pattern, values).lower()
        return f"/{prefix}/{path}/" if path else ""
    path = "/".join((*map(_urlize, sections), _urlize(slug or post.name)))
    ending = ".html" if site.config.get("uglyurls") is True else "/"
    return f"/{prefix}/{path}{ending}"


def _find_hugo_pattern(site: ContentSite, section: str) -> str:
    permalinks = site.config.get("permalinks")
    permalinks = permalinks if isinstance(permalinks, Mapping) else {}
    pages = permalinks.get("page")
    for table in (pages if isinstance(pages, Mapping) else {}, permalinks):
        pattern = table.get(section.lower()) or table.get(section or "/")
        if isinstance(pattern, str):
            return pattern
    return ""


def _get_hugo_prefix(site: ContentSite, post: PostFile) -> str | None:
    """Return the language that a path begins with, ``None`` if it isn't known."""
    default = str(site.config.get("defaultcontentlanguage") or "en").lower()
    languages = site.config.get("languages")
    own = languages.get(post.language) if isinstance(languages, Mapping) else None
    if isinstance(own, Mapping) and own.get("baseurl"):
        return None
    language = post.language or (default if site.languages else "")
    is_default = language in {"", default} and not site.config.get("defaultcontentlanguageinsubdir")
    return "" if is_default else language


def _urlize(text: str) -> str:
    """Return a text as Hugo writes it in a path."""
    return re.sub(r"[^\w.#+~@-]+", "", re.sub(r"\s+", "-", text.strip())).strip("-").lower()


def _build_zola(site: ContentSite, post: PostFile) -> str:
    prefix = post.language
    if path := post.get_text("path"):
        return f"/{path}/"
    slugify = site.config.get("slugify")
    slugify = slugify if isinstance(slugify, Mapping) else {}
    if slugify.get("paths", "on") != "on" or slugify.get("paths_keep_dates"):
        return ""
    parts = (*post.sections, post.get_text("slug") or post.name)
    if not all(part.isascii() for part in parts):
        return ""
    names = (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)
    return "/".join(("", prefix, *names, ""))


def _build_eleventy(site: ContentSite, post: PostFile) -> str:
    del site
    permalink = post.settings.get("permalink")
    if isinstance(permalink, str) and permalink:
        path = _ELEVENTY_SLUG.sub(lambda _: post.name, permalink).removesuffix("index.html")
        return "" if "{%" in path or "{{" in path else path
    if permalink not in (None, "") or _DATE_START.match(post.path.name):
        return ""
    name = post.path.stem
    parts = post.relative.parts[:-1]
    if name == "index" or (parts and parts[-1] == name):
        return "/".join(("", *parts, ""))
    return "/".join(("", *parts, name, ""))


def _build_astro(site: ContentSite, post: PostFile) -> str:
    """Return the path of the only route that shows a collection of this name."""
    pages = site.root / "src" / "pages"
    top = site.get_root(post.path).path
    names = post.relative.parts[:-1]
    if top == pages:
        ending = () if post.path.stem == "index" else (post.path.stem,)
        return "/".join(("", *names, *ending, ""))
    collection = names[0] if names else top.name
    has_route = any(
        (pages / collection / f"{dots}{name}].astro").is_file()
        for name in _ROUTE_NAMES
        for dots in ("[", "[...")
    )
    inner = (*names[1:], *(() if post.is_bundle else (post.path.stem,)))
    inner = (post.get_text("slug"),) if post.get_text("slug") else inner
    is_plain = all(re.fullmatch(r"[a-z0-9_-]+", part) for part in inner)
    return "/".join(("", collection, *inner, "")) if has_route and inner and is_plain else ""
