"""Parse JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.importing.source_post import UnreadablePost
from newsletter.posts.importing.sources.feeds.decode_feed import remove_control_characters
from newsletter.posts.importing.sources.feeds.feed_item import (
    FeedInfo,
    FeedItem,
    ItemDate,
    ItemMedia,
    ItemText,
    ParsedFeed,
    classify_media,
)
from newsletter.posts.importing.sources.feeds.url_identity import has_web_scheme


def _coerce_text(value: Any) -> Any:
    """Return numbers as text, nothing as an empty text, and only whole, visible characters."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return remove_control_characters(value.encode("utf-8", "replace").decode())
    return value


def _coerce_list(value: Any) -> Any:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _coerce_tags(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else _coerce_list(value)


def _coerce_author(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


_Text = Annotated[str, BeforeValidator(_coerce_text)]


class _LenientModel(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class JsonFeedAuthor(_LenientModel):
    """An author of a feed or of an item."""

    name: _Text = ""


class JsonFeedAttachment(_LenientModel):
    """A file that goes with an item."""

    url: _Text = ""
    mime_type: _Text = ""
    title: _Text = ""


_Authors = Annotated[
    list[Annotated[JsonFeedAuthor, BeforeValidator(_coerce_author)]], BeforeValidator(_coerce_list)
]


class JsonFeedItem(_LenientModel):
    """An item; ``id`` is a number in some feeds, ``author`` is from version 1.0."""

    id: _Text = ""
    url: _Text = ""
    external_url: _Text = ""
    title: _Text = ""
    content_html: _Text = ""
    content_text: _Text = ""
    summary: _Text = ""
    image: _Text = ""
    banner_image: _Text = ""
    date_published: _Text = ""
    date_modified: _Text = ""
    authors: _Authors = Field(default_factory=list)
    author: _Authors = Field(default_factory=list)
    tags: Annotated[list[_Text], BeforeValidator(_coerce_tags)] = Field(default_factory=list)
    language: _Text = ""
    attachments: Annotated[list[JsonFeedAttachment], BeforeValidator(_coerce_list)] = Field(
        default_factory=list
    )


class JsonFeedHead(_LenientModel):
    """What a JSON Feed says of itself."""

    title: _Text = ""
    home_page_url: _Text = ""
    feed_url: _Text = ""
    next_url: _Text = ""
    language: _Text = ""
    authors: _Authors = Field(default_factory=list)
    author: _Authors = Field(default_factory=list)


def parse_json_feed(text: str, url: str, where: str) -> ParsedFeed:
    """Parse a JSON Feed; an item that can't be read doesn't stop the others.

    Args:
        text: the feed.
        url: its address after redirects; empty for a file.
        where: its URL or file, for messages.

    Raises:
        PostError: it is not valid JSON, or not a JSON Feed.
    """
    try:
        data = json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        raise PostError(
            f"the JSON Feed is damaged or cut off: {error.msg.lower()}",
            where=Location(where, error.lineno),
            remedy="Try again later; if it stays so, tell the site's owner.",
        ) from None
    except (RecursionError, ValueError):  # deeper, or with a longer number, than Python reads
        raise PostError("the JSON Feed can't be read", where=Location(where)) from None
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise PostError("the JSON Feed has no list of items", where=Location(where))
    remarks: list[str] = []
    try:
        head = JsonFeedHead.model_validate({key: data[key] for key in data if key != "items"})
    except ValidationError as error:
        remarks.append(f"what it says of itself can't be read: {_describe(error)}")
        head = JsonFeedHead()
    return ParsedFeed(
        title=" ".join(head.title.split()),
        info=FeedInfo(
            url=url or head.feed_url,
            home_page=head.home_page_url,
            author=_join_names([*head.authors, *head.author]),
            language=head.language,
        ),
        items=tuple(_parse_item(item, number, where) for number, item in enumerate(items, 1)),
        next_url=head.next_url,
        remarks=tuple(remarks),
    )


def _parse_item(data: Any, number: int, where: str) -> FeedItem | UnreadablePost:
    try:
        item = JsonFeedItem.model_validate(data)
    except ValidationError as error:
        keys = ("title", "id", "url") if isinstance(data, dict) else ()
        name = next((data[key] for key in keys if isinstance(data.get(key), str)), "")
        problem = Problem(f"item {number} can't be read: {_describe(error)}", Location(where))
        return UnreadablePost(name[:100] or f"item {number}", problem)
    texts = (
        ItemText(item.content_html, language=item.language),
        ItemText(item.content_text, is_html=False, language=item.language),
        ItemText(item.summary, is_html=False, role="summary", language=item.language),
    )
    return FeedItem(
        title=item.title,
        item_id=item.id,
        # An item about another page has a page of its own, too, if only as its id.
        url=item.url or (item.id if has_web_scheme(item.id) else item.external_url),
        texts=tuple(text for text in texts if text.value),
        published=ItemDate(item.date_published) if item.date_published else None,
        updated=ItemDate(item.date_modified) if item.date_modified else None,
        authors=tuple(author.name for author in (*item.authors, *item.author) if author.name),
        tags=tuple(item.tags),
        language=item.language,
        media=(
            *(
                ItemMedia(image, "image", is_cover=True)
                for image in (item.image, item.banner_image)
                if image
            ),
            *(
                ItemMedia(file.url, classify_media(file.mime_type), file.title, is_enclosure=True)
                for file in item.attachments
                if file.url
            ),
        ),
        links=(("the page it is about", item.external_url),) if item.external_url else (),
    )


def _join_names(authors: list[JsonFeedAuthor]) -> str:
    return ", ".join(dict.fromkeys(author.name for author in authors if author.name))


def _describe(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    reason = "isn't text" if first["type"] == "string_type" else "has another form than expected"
    return f"'{key}' {reason}" if key else "it isn't an object"
