"""Settings of the blog that posts are imported from."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from newsletter.config import value_types
from newsletter.config.base_model import StrictModel
from newsletter.config.public_site import SingleLineText


def _wrap_single_url(value: object) -> object:
    """Return a list of one for a single URL."""
    return (value,) if isinstance(value, str) else value


class BlogSettings(StrictModel):
    """The blog that posts are imported from."""

    feeds: Annotated[
        tuple[Annotated[str, AfterValidator(value_types.parse_feed_url)], ...],
        BeforeValidator(_wrap_single_url, json_schema_input_type=str | tuple[str, ...]),
    ] = Field(
        default=(),
        max_length=20,
        description="One or several feeds: RSS, Atom or JSON Feed. `newsletter weekly` imports "
        "their new posts. `NEWSLETTER_FEED` overrides it.",
        examples=["https://harbournotes.example/feed.xml"],
    )
    article: SingleLineText | None = Field(
        default=None,
        description="CSS selector of the article on the blog's pages, if it is not found.",
        examples=["main .post-body"],
    )
    permalink: Annotated[str, AfterValidator(value_types.parse_permalink_pattern)] | None = Field(
        default=None,
        description="URL of a post of a content folder; `{year}`, `{month}`, `{day}` and `{slug}` "
        "are the post's.",
        examples=["https://harbournotes.example/{year}/{month}/{slug}/"],
    )
    images: Literal["copy", "hotlink"] = Field(
        default="copy",
        description="Whether an import copies images on the web into the issue's folder, resized "
        "for email, or leaves them where they are.",
    )
