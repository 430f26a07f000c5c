"""Read a file of a content folder as a ``SourcePost``."""

import datetime
import html
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from newsletter.errors import Location, PostError, Problem, display_path
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.front_matter.schema import FrontMatterFields
from newsletter.posts.importing.markup.page import find_no_post
from newsletter.posts.importing.plain_settings import make_plain_text
from newsletter.posts.importing.read_file import read_post_source
from newsletter.posts.importing.settings.dates import parse_foreign_date, parse_zoned_date
from newsletter.posts.importing.settings.file_name import parse_file_name
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.settings.split_foreign import split_foreign_front_matter
from newsletter.posts.importing.settings.translate import translate_front_matter
from newsletter.posts.importing.settings.values import squash_key
from newsletter.posts.importing.source_post import (
    PostStatus,
    SourcePost,
    SourceSettings,
    UnreadablePost,
)
from newsletter.posts.importing.sources.content_folder.folder_defaults import DefaultsFinder
from newsletter.posts.importing.sources.content_folder.permalinks import PostFile, build_post_url
from newsletter.posts.importing.sources.content_folder.site import ContentSite

_DATE_START = re.compile(r"\d{4}[-_.]\d{1,2}[-_.]\d{1,2}[-_. ]+(?=\S)")
_MARKDOWN_HEADING = re.compile(
    r"\s*(?:#{1,6}[ \t]+(?P<atx>[^\n]+?)[ \t]*#*|(?P<setext>[^\n]+)\n=+)[ \t]*(?:\n|$)"
)
_HTML_TITLE = re.compile(
    r"<(?P<tag>h1|title)\b[^>]{0,400}>(?P<title>[^<]{1,400}(?:<(?!/(?P=tag))[^<]{0,400}){0,20})</(?P=tag)>",
    re.IGNORECASE,
)
_TEMPLATE_TAG = re.compile(r"\{%-?\s{0,9}(?:extends|block|include|macro|import|for|if)\b")
_TAG = re.compile(r"<[^<>]*>")
# Tags by which Eleventy makes its lists of pages.
_COLLECTIONS = frozenset(
    {"all", "nav", "page", "pages", "post", "posts", "article", "articles", "blog"}
)
_POST_FOLDERS = frozenset(
    {"_posts", "posts", "post", "blog", "articles", "writing", "news", "notes"}
)
_DATED_NAMES = frozenset({"Jekyll", "Zola", "Eleventy", "Markdown"})


class NotPost(NamedTuple):
    """A file that is no post, and what it is: ``"headless bundles"``."""

    what: str


@dataclass(frozen=True, slots=True)
class PostFileReader:
    """Reader of the files of a site.

    Attributes:
        site: the site.
        settings: the newsletter's settings.
        defaults: finder of the settings of folders.
        now: the present, by which a post is scheduled or expired.
    """

    site: ContentSite
    settings: SourceSettings
    defaults: DefaultsFinder
    now: datetime.datetime

    def read(
        self, file: Path, post_urls: Callable[[str], str] = find_no_post
    ) -> SourcePost | UnreadablePost | NotPost:
        """Read a post.

        Args:
            file: its absolute path.
            post_urls: returns the URL of another post by what a link in this one calls it.
        """
        front_matter = self._split(file)
        if isinstance(front_matter, UnreadablePost):
            return front_matter
        if not front_matter.body.strip():
            return NotPost("pages without text")
        is_page = self.site.generator == "Markdown" and file.suffix.lower() in {".html", ".htm"}
        if is_page and _TEMPLATE_TAG.search(front_matter.body):
            return NotPost("HTML templates")
        return self._build(file, front_matter, post_urls)

    def read_url(self, file: Path) -> str:
        """Return the URL of a post or a section; empty if it isn't sure."""
        front_matter = self._split(file)
        if isinstance(front_matter, UnreadablePost):
            return ""
        post = self._build(file, front_matter, find_no_post)
        return post.url if isinstance(post, SourcePost) else ""

    def _split(self, file: Path) -> FrontMatter | UnreadablePost:
        name = display_path(file)
        try:
            source = read_post_source(str(file), self.settings.max_post_bytes)
            return split_foreign_front_matter(source.text, name).front_matter
        except PostError as error:
            problem = error.problems[0]
            line = problem.where.line if problem.where else None
            problem = problem._replace(where=Location(name, line))
        except OSError as error:
            message = f"the file can't be read: {(error.strerror or str(error)).lower()}"
            problem = Problem(message, Location(name))
        return UnreadablePost(parse_file_name(Path(_decode_name(file))).title, problem)

    def _build(
        self, file: Path, front_matter: FrontMatter, post_urls: Callable[[str], str]
    ) -> SourcePost | NotPost:
        site = self.site
        root = site.get_root(file)
        relative = PurePosixPath(_decode_name(file.relative_to(root.path)))
        language, stem = self._split_language(relative, root.language)
        is_section = stem == "_index" and site.generator in {"Hugo", "Zola"}
        is_bundle = is_section or (stem == "index" and len(relative.parts) > 1)
        name = relative.parent.name if is_bundle else stem
        defaults = self.defaults.find(file, language or site.default_language)
        own_keys = set(map(squash_key, front_matter.data))
        inherited = {
            key: value
            for key, value in defaults.settings.items()
            if squash_key(key) not in own_keys
        }
        data = {**front_matter.data, **inherited}
        by_key = {squash_key(key): value for key, value in data.items()}
        if reason := self._find_reason(by_key):
            return NotPost(reason)
        translated = translate_front_matter(
            replace(front_matter, data=data, repeated=()),
            language=site.language or self.settings.language,
            is_jekyll=site.generator == "Jekyll",
        )
        fields = translated.fields
        file_name = parse_file_name(Path(relative))
        heading = _find_heading(front_matter.body, file.suffix.lower()) or make_plain_text(
            fields.subject
        )
        if site.generator == "Markdown" and not (fields.title or heading or file_name.date):
            return NotPost("files without a title")
        title = make_plain_text(fields.title) or heading or file_name.title
        # With its time of day and zone, which an issue's date doesn't have.
        written_date = parse_foreign_date(translated.front_matter.data.get("date"))
        date = written_date or fields.date or file_name.date
        moment = parse_zoned_date(date, self.settings.timezone)
        date = date if moment else None
        without_date = _DATE_START.sub("", name)
        post_file = PostFile(
            file,
            relative,
            without_date if site.generator in _DATED_NAMES else name,
            by_key,
            fields.title,
            date,
            language,
            is_bundle,
            defaults.is_complete,
        )
        status, notes = self._find_status(file, by_key, fields, date)
        tags, tag_notes = self._sort_out_collections(fields.tags)
        slug = str(translated.front_matter.data.get("slug") or "").strip("/ ")
        return SourcePost(
            title=title,
            file=file,
            post_id=_decode_name(file.relative_to(site.root)),
            url=build_post_url(site, post_file, self.settings.permalink)
            if status in {"published", "scheduled"}
            else "",
            slug=slug or without_date,
            date=moment,
            status=status,
            kind=self._find_kind(post_file, fields.tags, fields.language or language),
            author=fields.author.name if fields.author else "",
            tags=tags,
            language=fields.language or self._find_tag(language) or site.language,
            summary=make_plain_text(fields.description or fields.summary or fields.excerpt),
            image_folders=site.image_folders,
            post_urls=post_urls,
            notes=(*notes, *tag_notes),
        )

    def _find_tag(self, language: str) -> str:
        """Return the BCP 47 tag of a language by the site's name for it."""
        languages = self.site.config.get("languages")
        settings = languages.get(language) if isinstance(languages, Mapping) else None
        settings = settings if isinstance(settings, Mapping) else {}
        code = settings.get("languagecode") or settings.get("locale") or language
        return str(code).replace("_", "-") if re.fullmatch(r"[\w-]{2,12}", str(code)) else ""

    def _split_language(self, relative: PurePosixPath, language: str) -> tuple[str, str]:
        """Return the language and the name of ``gulls.de.md``."""
        stem, _, ending = relative.stem.rpartition(".")
        if stem and self._spell_language(ending):
            return self._spell_language(ending), stem
        if not language and len(relative.parts) > 1:
            language = self._spell_language(relative.parts[0])
        return language, relative.stem

    def _spell_language(self, name: str) -> str:
        """Return a language as the site's settings spell it; empty if it isn't one of them."""
        names = (language for language in self.site.languages if language.lower() == name.lower())
        return next(names, "")

    def _find_reason(self, settings: Mapping[str, Any]) -> str:
        """Return what a page is that is on no list of the site, or has no address; or empty."""
        generator = self.site.generator
        build = settings.get("build", settings.get("_build"))
        is_hidden = isinstance(build, Mapping) and str(build.get("render", "")) in {
            "never",
            "False",
        }
        if generator == "Hugo" and (settings.get("headless") is True or is_hidden):
            return "headless bundles"
        if generator == "Zola" and settings.get("render") is False:
            return "pages without an address"
        if generator == "Eleventy" and settings.get("permalink") is False:
            return "pages without an address"
        if generator == "Eleventy" and settings.get("eleventyexcludefromcollections") is True:
            return "pages that are in no collection"
        return ""

    def _find_status(
        self,
        file: Path,
        settings: Mapping[str, Any],
        fields: FrontMatterFields,
        date: datetime.date | None,
    ) -> tuple[PostStatus, tuple[SettingNote, ...]]:
        generator = self.site.generator
        is_private = str(settings.get("status", "")).strip().lower() == "private"
        if is_private or settings.get("private") is True:
            return "private", ()
        is_draft = settings.get("draft") is True or settings.get("isdraft") is True
        if fields.draft or is_draft or "_drafts" in file.parts:
            return "draft", ()
        expiry = self._read_moment(settings.get("expirydate"))
        if generator == "Hugo" and expiry and expiry <= self.now:
            note = SettingNote("expiryDate", f"the site shows it until {expiry:%Y-%m-%d} only")
            return "private", (note,)
        start = self._read_moment(settings.get("publishdate")) if generator == "Hugo" else None
        start = start or parse_zoned_date(date, self.settings.timezone)
        builds_future = self.site.config.get("future" if generator == "Jekyll" else "buildfuture")
        is_future = start is not None and start > self.now
        return ("scheduled" if is_future and builds_future is not True else "published"), ()

    def _read_moment(self, value: object) -> datetime.datetime | None:
        return parse_zoned_date(value, self.settings.timezone)

    def _find_kind(self, post: PostFile, tags: tuple[str, ...], language: str) -> str:
        """Return ``"page"`` for what is no part of the blog, such as an imprint or a manual.

        ``"translation"`` for a post in a language that the site has besides the newsletter's.
        """
        folders = set(post.path.relative_to(self.site.root).parts[:-1])
        if self.site.generator == "Jekyll":
            return "page" if folders.isdisjoint({"_posts", "_drafts"}) else "post"
        is_post = post.date is not None or bool(tags) or not folders.isdisjoint(_POST_FOLDERS)
        if not is_post and self.site.generator != "Markdown":
            return "page"
        is_translation = self.site.is_translation(language, self.settings.language)
        return "translation" if is_translation else "post"

    def _sort_out_collections(
        self, tags: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[SettingNote, ...]]:
        if self.site.generator != "Eleventy":
            return tags, ()
        collections = [tag for tag in tags if tag.lower() in _COLLECTIONS]
        if not collections:
            return tags, ()
        note = SettingNote("tags", f"{', '.join(collections)} (a list of the site, not a tag)")
        return tuple(tag for tag in tags if tag not in collections), (note,)


def _decode_name(path: Path) -> str:
    """Return a path as text; a name that isn't UTF-8 is read as Windows-1252."""
    name = os.fsencode(path.as_posix())
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp1252", "replace")


def _find_heading(body: str, suffix: str) -> str:
    """Return the heading at the start of Markdown, or the title of a web page."""
    if suffix in {".html", ".htm"}:
        found = _HTML_TITLE.search(body)
        return " ".join(html.unescape(_TAG.sub("", found["title"])).split()) if found else ""
    found = _MARKDOWN_HEADING.match(body)
    return make_plain_text(found["atx"] or found["setext"]) if found else ""
