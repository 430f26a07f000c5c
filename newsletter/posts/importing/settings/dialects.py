"""Table of other tools' keys: which of them means which setting of ours.

Jekyll, Hugo, Zola, Eleventy, Astro, Hexo, Ghost, dev.to, WordPress exporters. Keys are written
without case, hyphens and underscores (``pubdate`` is ``pubDate``, ``pub_date`` and ``pub-date``);
of several, the first one with a readable value is taken.
"""

from typing import NamedTuple

from newsletter.posts.importing.settings.values import (
    ValueReader,
    make_author_reader,
    read_date,
    read_draft,
    read_image,
    read_language,
    read_line,
    read_permalink_slug,
    read_spaced_tags,
    read_summary,
    read_tags,
    read_web_url,
)


class Dialect(NamedTuple):
    """A setting of ours, other tools' keys for it, and the reader of their values."""

    setting: str
    keys: tuple[str, ...]
    read: ValueReader


# Tables in which tools keep settings of the author's own.
NESTED_TABLES = ("extra", "params", "taxonomies", "header", "seo", "meta")
# These say something else too: that they have no date in them isn't worth a note.
PATH_KEYS = ("permalink", "path", "url")

_DATE_KEYS = """
    date pubdate publishdate publishedat datepublished publisheddate publicationdate publishedon
    publishedtime published pubdatetime datetime posted postedon postedat postdate
    created createdat datecreated
    permalink path url
    updated updatedat updateddate lastmod lastmodified lastupdated modified modifiedat datemodified
"""
_HERO_KEYS = """
    hero heroimage featuredimage featureimage featuredimg featureimg coverimage cover image images
    banner bannerimage headerimage mainimage postimage ogimage socialimage thumbnail thumb
    thumbnailurl header
"""
_SUMMARY_KEYS = """
    description subtitle subheading tagline dek standfirst lead lede abstract customexcerpt
    metadescription seodescription ogdescription
"""


def list_dialects(language: str, *, is_jekyll: bool) -> tuple[Dialect, ...]:
    """Return the table.

    Args:
        language: BCP 47 tag of the post, for the "and" between two authors.
        is_jekyll: whether tags without commas are separated by spaces.
    """
    read_labels = read_spaced_tags if is_jekyll else read_tags
    return (
        Dialect("title", ("title", "headline", "posttitle"), read_line),
        Dialect("subject", ("subject",), read_line),
        Dialect("preheader", ("preheader",), read_summary),
        Dialect("description", tuple(_SUMMARY_KEYS.split()), read_summary),
        Dialect(
            "author",
            ("author", "authors", "authorname", "byline", "primaryauthor", "creator", "writer"),
            make_author_reader(language),
        ),
        Dialect("date", tuple(_DATE_KEYS.split()), read_date),
        Dialect(
            "canonical_url",
            ("canonicalurl", "canonical", "originalurl", "externalurl", "permalink", "url", "link"),
            read_web_url,
        ),
        Dialect("language", ("language", "lang", "locale", "languagecode"), read_language),
        Dialect("tags", ("tags", "categories", "category", "keywords", "tag"), read_labels),
        Dialect("draft", ("published", "publish", "status", "poststatus"), read_draft),
        Dialect("hero", tuple(_HERO_KEYS.split()), read_image),
        Dialect("slug", ("slug", *PATH_KEYS), read_permalink_slug),
    )
