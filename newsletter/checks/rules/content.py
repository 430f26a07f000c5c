"""Rules on the text: leftover tags, placeholders, unbalanced quotes."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from zoneinfo import ZoneInfo

from newsletter.checks.analysis.article_similarity import find_repeated_emails, make_article_text
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.rules.template import find_template_tags
from newsletter.posts.importing.cleanup.paragraph import count_words
from newsletter.render.article.dom import Element

rule = Topic("Content").rule

_SYNTAX = re.compile(
    # Braces with a reader's data; the build rejects others that aren't literal on purpose.
    r"\{\{[^{}\n]{0,40}(?i:name|e-?mail|subscriber|recipient|contact\.|unsub)[^{}\n]{0,40}\}\}"
    r"|\*?\|[A-Z][A-Z0-9_:]+\|\*?|%%\w{2,40}%%"
    r"|-nl\d+[htu]-|<%=?[^%\n]{1,80}%>"
)
_PLACEHOLDER = re.compile(
    r"lorem ipsum|dolor sit amet|\[(?:insert|your|add|name|title|link)\b[^\]\n]{0,40}\]"
    r"|your (?:text|title|headline) here|\bTKTK\b|\bFIXME\b",
    re.IGNORECASE,
)
_TODO = re.compile(r"\b(?:TODO|TBD|TK)\b")
# In these languages "TODO" is a common word ("all"), not a placeholder.
_TODO_WORD_LANGUAGES = ("es", "pt", "gl", "ca")
_SAMPLE_URL = re.compile(
    r"^https?://(?:www\.)?(?:example\.(?:com|net|org)"
    r"|(?:your|my)-?(?:domain|site|company|newsletter)\.\w+|domain\.com)(?=[/:?#]|$)",
    re.IGNORECASE,
)
_QUOTE_PAIRS = {"“": "”", "«": "»"}
# Languages that use these marks the other way round, or one mark on both sides.
_OTHER_QUOTE_LANGUAGES = (
    "da",
    "de",
    "cs",
    "sk",
    "sl",
    "hr",
    "sr",
    "hu",
    "bg",
    "et",
    "lt",
    "lv",
    "is",
    "fi",
    "sv",
)
_CODE_TAGS = ("code", "pre", "kbd", "samp")
_INCH_MARK = re.compile(r"\d\s*[\"″]")
_MAX_READING_MINUTES, _WORDS_PER_MINUTE = 20, 220
_MIN_SIMILARITY = 0.85
_PUNCTUATION = ".,;:!?()[]“”\"'\u2018\u2019"
_MIN_NAME_LENGTH = 6


@rule(
    "repeated-article", "warning",
    meaning="Readers get the same article twice; a send to any of them is refused.",
    remedy="Send something else, or send it with --repeat-article if readers are to get it twice.",
)  # fmt: skip
def repeated_article(context: CheckContext) -> Iterator[Match]:
    """Another issue that was sent or planned has the same article (80 % of its runs of words)."""
    article = make_article_text(context.issue, context.email, context.config)
    for repeated in find_repeated_emails(article, context.earlier_emails):
        local = repeated.email.frozen_at.astimezone(ZoneInfo(context.config.timezone))
        yield Match(
            f"{repeated.share:.0%} of the article is in {repeated.email.issue} of {local.day} "
            f"{local:%b %Y}",
            context.source_map.file,
        )
        return


@rule(
    "leftover-tag", "error",
    meaning="Readers see template code where their name should be.",
    remedy="Write it as {{ subscriber.name }}, or remove it; in `code` it may stay.",
)  # fmt: skip
def leftover_tag(context: CheckContext) -> Iterator[Match]:
    """A merge tag or template syntax that won't be replaced, outside of code."""
    for text, key in (
        (context.default_email.subject, "subject"),
        (context.default_email.preheader, "preheader"),
    ):
        if found := _SYNTAX.search(text):
            yield Match(
                f"{found[0]} is left in the {key}",
                context.source_map.locate_setting(key, "title"),
                found[0],
            )
    in_template = {tag.text for tag, _ in find_template_tags(context)}  # foreign-merge-tag
    for run in context.text_runs:
        for found in _SYNTAX.finditer(run.text):
            where = context.source_map.locate_text(found[0])
            is_in_post = where.line is not None or found[0] not in in_template
            if is_in_post and not _is_in_code(run.element):
                yield Match(f"{found[0]} is left in the text", where, found[0])


@rule(
    "placeholder-text", "warning",
    meaning="Readers see a placeholder instead of the text.",
    remedy="Replace it with the text.",
)  # fmt: skip
def placeholder_text(context: CheckContext) -> Iterator[Match]:
    """Placeholder text outside of code: lorem ipsum, TODO, [insert …]."""
    language = context.issue.post.language.split("-")[0]
    for block, text in zip(context.prose_blocks, context.masked_texts, strict=True):
        found = _PLACEHOLDER.search(text)
        if found is None and language not in _TODO_WORD_LANGUAGES:
            found = _TODO.search(text) if not block.text.isupper() else None
        if found:
            where = context.source_map.locate_text(block.text[found.start() :])
            yield Match(f"'{found[0]}' is a placeholder", where, found[0])


@rule(
    "sample-link", "warning",
    meaning="The link leads to a page that isn't yours.",
    remedy="Use the real URL.",
)  # fmt: skip
def sample_link(context: CheckContext) -> Iterator[Match]:
    """A link or an image with an example URL: example.com, your-domain.com.

    A URL that the text shows, as instructions do, is none.
    """
    links = (link.url for link in context.links if not link.shows_url)
    images = (image.get("src") or "" for image in context.images)
    for url in dict.fromkeys((*links, *images)):
        if is_sample_url(url):
            yield Match(
                f"{url[:80]} is an example URL",
                context.source_map.locate_url(url, "button", "further"),
                url,
            )


@rule(
    "unbalanced-quotes", "hint",
    meaning="Readers can't tell where the quotation ends.",
    remedy="Add the closing quotation mark.",
)  # fmt: skip
def unbalanced_quotes(context: CheckContext) -> Iterator[Match]:
    """A quotation that is not closed in its paragraph and does not continue in the next."""
    if context.issue.post.language.split("-")[0] in _OTHER_QUOTE_LANGUAGES:
        return
    texts = context.masked_texts
    for index, (block, text) in enumerate(zip(context.prose_blocks, texts, strict=True)):
        next_text = texts[index + 1] if index + 1 < len(texts) else ""
        for opening, closing in _QUOTE_PAIRS.items():
            continues = next_text.startswith(opening)
            if text.count(opening) > text.count(closing) and not continues:
                yield _make_unclosed_match(context, block.text[text.rfind(opening) :])
        if text.count('"') % 2 and not _INCH_MARK.search(text):
            yield _make_unclosed_match(context, block.text[text.rfind('"') :])


def _make_unclosed_match(context: CheckContext, text: str) -> Match:
    return Match(
        f"'{shorten_quote(text)}' is never closed", context.source_map.locate_text(text), text[:80]
    )


@rule(
    "misspelt-name", "hint",
    meaning="A newsletter that misspells its own name looks like a fake.",
    remedy="Write it as in newsletter.yml.",
)  # fmt: skip
def misspelt_name(context: CheckContext) -> Iterator[Match]:
    """The newsletter's own name, misspelt."""
    name = context.config.name
    size = len(name.split())
    if len(name) < _MIN_NAME_LENGTH:
        return
    for text in context.masked_texts:
        words = [word.strip(_PUNCTUATION) for word in text.split()]
        for index, word in enumerate(words):
            if word[:1] == name[0]:
                candidate = " ".join(words[index : index + size])
                if _is_misspelling(candidate, name):
                    where = context.source_map.locate_text(
                        " ".join(words[index : index + size + 2])
                    )
                    yield Match(f"'{candidate}' looks like '{name}', misspelt", where, candidate)


def _is_misspelling(candidate: str, name: str) -> bool:
    if (
        abs(len(candidate) - len(name)) > 2  # noqa: PLR2004 - a typo of one letter, or two
        or candidate.removesuffix("\u2019s").removesuffix("'s") == name
    ):
        return False
    return SequenceMatcher(None, candidate.casefold(), name.casefold()).ratio() >= _MIN_SIMILARITY


@rule(
    "long-read", "hint",
    meaning="Few people read such a long email to the end.",
    remedy="Send the beginning, and link to the full post on your site.",
)  # fmt: skip
def long_read(context: CheckContext) -> Iterator[Match]:
    """The post takes more than 20 minutes to read."""
    minutes = round(context.word_count / _WORDS_PER_MINUTE)
    if minutes > _MAX_READING_MINUTES:
        yield Match(
            f"{context.word_count:,} words take {minutes} minutes to read", context.source_map.file
        )


def is_sample_url(url: str) -> bool:
    """Return whether a URL is one of those that examples have: example.com, your-domain.com."""
    return bool(_SAMPLE_URL.search(url))


def shorten_quote(text: str, max_length: int = 50) -> str:
    """Return ``text``, cut between words if it is longer than ``max_length``."""
    text = " ".join(text.split())
    if len(text) <= max_length:
        return text
    return (
        text[:max_length].rsplit(" ", 1)[0] + " …"
        if count_words(text) > 1
        else text[:max_length] + "…"
    )


def _is_in_code(element: Element) -> bool:
    return element.tag in _CODE_TAGS or next(element.iterancestors(*_CODE_TAGS), None) is not None
