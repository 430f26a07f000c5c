"""Build a post of an item of a feed: title, text, media, date."""

import datetime
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from newsletter.errors import Location, Problem
from newsletter.posts.html.normalize.absolute_urls import make_urls_absolute
from newsletter.posts.html.normalize.marked_elements import get_text
from newsletter.posts.html.normalize.tags import iter_html_tags
from newsletter.posts.importing.settings.dates import parse_foreign_date, parse_zoned_date
from newsletter.posts.importing.settings.notes import SettingNote, clip_value
from newsletter.posts.importing.settings.values import (
    decode_entities,
    read_language,
    read_permalink_slug,
)
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.feeds.feed_item import (
    FeedInfo,
    FeedItem,
    ItemDate,
    ItemMedia,
)
from newsletter.posts.importing.sources.feeds.item_text import ChosenText, choose_text
from newsletter.posts.importing.sources.feeds.url_identity import (
    fold_image_url,
    fold_link,
    get_folded_host,
    has_web_scheme,
    join_url,
)
from newsletter.url_secrets import mask_url_secrets

_MAILBOX = re.compile(r"\S+@\S+\.\S+")
_NAME_IN_BRACKETS = re.compile(
    r"\S+@\S+\s*\((?P<name>[^()]+)\)|(?P<first>[^<>@]+?)\s*<[^<>\s]+@[^<>\s]+>"
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_AVATAR = re.compile(r"//(?:[\w-]+\.)?gravatar\.com/", re.IGNORECASE)
_URL = re.compile(r"""\b(?:href|src|poster)\s*=\s*["']?([^"'\s>]+)""", re.IGNORECASE)
_PIXEL = re.compile(r"""\b(?:width|height)\s*=\s*["']?[01]["'\s>]""", re.IGNORECASE)
_MAX_LISTED = 10  # images and links without a place in the post
_MAX_NAME_LENGTH = 300  # characters
_BROKEN = "\ufffd"


def build_post(
    item: FeedItem, info: FeedInfo, settings: SourceSettings
) -> SourcePost | UnreadablePost:
    """Return the post that an item is; one that can't be read says why.

    Args:
        item: the item.
        info: of its feed.
        settings: of the newsletter.
    """
    title = make_title(item.title, is_html=item.is_html_title)
    url = _find_url(item, info)
    name = title or url or item.item_id or "(an item without a title)"
    size = sum(len(text.value.encode(errors="replace")) for text in item.texts)
    if size > settings.max_post_bytes:
        return UnreadablePost(
            name,
            Problem(
                f"the post has {size / 1e6:.1f} MB; at most "
                f"{settings.max_post_bytes / 1e6:.1f} MB can be imported",
                Location(url or mask_url_secrets(info.url)) if url or info.url else None,
            ),
        )
    chosen = choose_text(
        item.texts, language=settings.language, has_title=bool(title), has_page=bool(url)
    )
    if not chosen.html and not url and not item.media:
        return UnreadablePost(
            name,
            Problem(
                "it has neither text nor a link to its page",
                Location(mask_url_secrets(info.url)) if info.url else None,
            ),
        )
    base = _find_base(chosen, url, info)
    content = make_urls_absolute(chosen.html, base)
    notes: list[SettingNote] = []
    attached = _format_attachments(item, content, base, notes)
    hero = _choose_hero(item, chosen, content, base, notes)
    date = _read_date(item, settings, notes)
    author = _read_authors(item.authors, notes) or _read_authors((info.author,), notes)
    _note_links(item, content, url, base, notes)
    if _BROKEN in content or _BROKEN in title:
        notes.append(SettingNote("text", f"has characters that can't be read ({_BROKEN})"))
    languages = (chosen.source.language if chosen.source else "", item.language, info.language)
    slug = read_permalink_slug(url) if _get_path(url) else None
    return SourcePost(
        title=title,
        content="\n".join(part for part in (content, *attached) if part),
        post_id=item.item_id,
        url=url,
        slug=slug.value if slug and not slug.value.isdecimal() else "",
        date=date,
        author=author,
        tags=_read_tags(item.tags),
        language=next(
            (tag.value for name in languages if name and (tag := read_language(name))), ""
        ),
        summary=chosen.summary,
        hero=hero.url if hero else "",
        hero_alt=hero.title if hero else "",
        is_teaser=chosen.is_teaser and not attached,
        removed=chosen.removed,
        notes=tuple(notes),
    )


def make_title(title: str, *, is_html: bool) -> str:
    """Return a title as plain text of one line, unescaped at most once.

    What looks like a tag in a title that isn't HTML is text: ``The <main> element``.
    """
    if is_html:
        return get_text(_COMMENT.sub("", title))
    return " ".join(str(decode_entities(title)).split())


def _find_url(item: FeedItem, info: FeedInfo) -> str:
    url = item.url
    # feedparser takes the id for the address of an item without a link; it may be a mere number.
    if url and (url != item.item_id or url.startswith("/")):
        url = join_url(info.home_page or info.url, url)
    return next((found for found in (url, item.item_id) if has_web_scheme(found)), "")


def _find_base(chosen: ChosenText, url: str, info: FeedInfo) -> str:
    """Return the URL that the links of a post's text are relative to.

    The address of the post itself, unless it is on another site, as in a collection of links.
    """
    home = info.home_page or info.url or url
    if chosen.source and chosen.source.base:
        return join_url(info.url or home, chosen.source.base)
    own_hosts = {get_folded_host(info.home_page), get_folded_host(info.url), ""}
    return url if url and (get_folded_host(url) in own_hosts or not home) else home


def _format_attachments(
    item: FeedItem, content: str, base: str, notes: list[SettingNote]
) -> list[str]:
    """Return the HTML of files that the text doesn't have."""
    attached: list[str] = []
    files = [file for file in item.media if file.kind != "image"]
    present = {fold_link(url) for url in _find_urls(content)} if files else set()
    has_enclosure = any(file.is_enclosure for file in files)
    for file in files:
        url = join_url(base, file.url)
        if fold_link(url) in present or not has_web_scheme(url):
            continue
        present.add(fold_link(url))
        # Described are the same recording in other sizes, too.
        if not file.is_enclosure and (has_enclosure or attached):
            _note(notes, "file", f"{url} (another {file.kind} of the item) is not in the post")
        elif file.kind == "file":
            name = file.title or unquote(_get_path(url).rpartition("/")[2]) or url
            attached.append(f'<p><a href="{html.escape(url)}">{html.escape(name)}</a></p>')
        else:
            attached.append(
                f'<{file.kind} src="{html.escape(url)}" title="{html.escape(file.title)}">'
                f"</{file.kind}>"
            )
    return attached


def _choose_hero(
    item: FeedItem, chosen: ChosenText, content: str, base: str, notes: list[SettingNote]
) -> ItemMedia | None:
    """Return the item's main image if its text doesn't hold it; the others are listed."""
    if not item.media and not chosen.summary_html:
        return None
    in_text = {fold_image_url(url) for url in _find_urls(content)}
    present = set(in_text)
    images = sorted(
        (image for image in item.media if image.kind == "image"),
        key=lambda image: (not image.is_cover, not image.is_enclosure),
    )
    candidates = [image._replace(url=join_url(base, image.url)) for image in images]
    candidates += _list_images(make_urls_absolute(chosen.summary_html, base))
    hero = None
    for image in candidates:
        if not has_web_scheme(image.url):
            continue
        if _AVATAR.search(image.url):
            _note(notes, "image", f"{image.url} (the author's picture) is not in the post")
            continue
        folded = fold_image_url(image.url)
        if folded in present:
            hero = hero or image
            continue
        present.add(folded)
        if hero is None:
            hero = image
        else:
            _note(notes, "image", f"{image.url} is not in the post")
    return hero if hero and fold_image_url(hero.url) not in in_text else None


def _list_images(fragment: str) -> Iterator[ItemMedia]:
    for tag in iter_html_tags(fragment):
        if tag.name == "img" and not tag.is_end and not _PIXEL.search(tag.attribute_text):
            attributes = tag.attributes
            yield ItemMedia(attributes.get("src", ""), "image", attributes.get("alt", "").strip())


def _find_urls(content: str) -> list[str]:
    """Return the URLs of links and media in HTML."""
    return [html.unescape(found[1]) for found in _URL.finditer(content)]


def _note_links(
    item: FeedItem, content: str, url: str, base: str, notes: list[SettingNote]
) -> None:
    """List links of the item that the post doesn't have."""
    if not item.links:
        return
    present = {fold_link(found) for found in (*_find_urls(content), url)}
    for name, target in item.links:
        absolute = join_url(base, target)
        if fold_link(absolute) not in present and has_web_scheme(absolute):
            present.add(fold_link(absolute))
            _note(notes, "link", f"{absolute} ({name}) is not in the post")


def _note(notes: list[SettingNote], key: str, text: str) -> None:
    count = sum(note.key == key for note in notes)
    if count < _MAX_LISTED:
        notes.append(SettingNote(key, text))
    elif count == _MAX_LISTED:
        notes.append(SettingNote(key, "and more"))


def _read_date(
    item: FeedItem, settings: SourceSettings, notes: list[SettingNote]
) -> datetime.datetime | None:
    """Return when the item was published, else last changed."""
    for date in (item.published, item.updated):
        if date is None or not date.text.strip():
            continue
        if value := _parse_date(date, settings):
            if date is not item.published and item.published:
                notes.append(SettingNote("date", f"{value:%Y-%m-%d} (when it was last changed)"))
            return value
        notes.append(SettingNote("date", f"'{clip_value(date.text)}' can't be read as a date"))
    return None


def _parse_date(date: ItemDate, settings: SourceSettings) -> datetime.datetime | None:
    """Return a date with its time zone; without one it is in the newsletter's."""
    parsed = parse_foreign_date(date.text[:_MAX_NAME_LENGTH]) or date.value
    return parse_zoned_date(parsed, settings.timezone)


def _read_authors(authors: tuple[str, ...], notes: list[SettingNote]) -> str:
    """Return the names of authors; mailboxes are listed, since issues are public."""
    names: list[str] = []
    for author in authors:
        name = make_title(author[:_MAX_NAME_LENGTH], is_html=False)
        if found := _NAME_IN_BRACKETS.fullmatch(name):
            name = (found["name"] or found["first"]).strip(" \"'")
        if _MAILBOX.search(name):
            _note(notes, "author", f"'{clip_value(name)}' is a mailbox, not a name")
        elif name and name.casefold() not in map(str.casefold, names):
            names.append(name)
    return ", ".join(names)


def _read_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for tag in tags:
        text = make_title(tag, is_html=False)
        if text:
            found.setdefault(text.casefold(), text)
    return tuple(found.values())


def _get_path(url: str) -> str:
    """Return the path of a URL without its slashes; empty for the first page of a site."""
    try:
        return urlsplit(url).path.strip("/")
    except ValueError:
        return ""
