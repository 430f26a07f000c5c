"""Rules on the text: leftover tags, placeholders, unbalanced quotes."""

import re
from collections.abc import Collection, Iterator
from difflib import SequenceMatcher
from zoneinfo import ZoneInfo

from newsletter.checks.analysis.article_similarity import find_repeated_emails, make_article_text
from newsletter.checks.analysis.computed_text import TextRun
from newsletter.checks.analysis.reader_tags import find_reader_tags, find_unfilled_names
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.rules.template import find_template_tags
from newsletter.posts.importing.cleanup.paragraph import count_words
from newsletter.render.article.dom import Element, get_visible_text

rule = Topic("Content").rule

READER_DATA = "name|e-?mail|subscriber|recipient|contact\\.|member|unsub"
_SYNTAX = re.compile(
    # Template code with a reader's data; the build rejects other braces that aren't literal on
    # purpose, and foreign-markup finds the other tags.
    rf"\{{\{{[^{{}}\n]{{0,40}}(?i:{READER_DATA})[^{{}}\n]{{0,40}}\}}\}}"
    rf"|<%(?=[^%\n]{{0,80}}(?i:{READER_DATA}))=?[^%\n]{{1,80}}%>"
    r"|\*\|[A-Z][A-Z0-9_:]+\|\*|%%\w{2,40}%%|-nl\d+[htu]-"
    # Without its stars, which Markdown takes for emphasis.
    r"|\*?(?<!\w)\|(?:[A-Z]+:[A-Z0-9_:]+|[FL]?NAME|EMAIL|PHONE|ADDRESS|BIRTHDAY|COMPANY|UNSUB\w*)\|(?!\w)\*?"
)
_EMPHASIZED_TAG = re.compile(r"\|[A-Z][A-Z0-9_:]+\|")
_PLACEHOLDER = re.compile(
    r"lorem ipsum|dolor sit amet|\[(?:insert|your|add|name|title|link)\b[^\]\n]{0,40}\]"
    r"|your (?:text|title|headline) here|\bTKTK\b|\bFIXME\b",
    re.IGNORECASE,
)
_TODO = re.compile(r"\b(?:TODO|TBD)\b")
_TODO_IN_ENGLISH = re.compile(r"\b(?:TODO|TBD|TK)\b")  # TK: "to come", of journalists
# A sentence about such marks: "a TODO list", "every FIXME", “TODO”.
_TASK_MARKS = ("TODO", "FIXME")
_BEFORE_MENTION = re.compile(
    r"(?:\b(?:an?|the|my|your|our|his|her|their|this|that|these|those|every|each|no|any|of)\s"
    r"|[“”„«\"'\u2018\u2019])$",
    re.IGNORECASE,
)
_AFTER_MENTION = re.compile(
    r"-\w|\s(?:apps?|comments?|entry|entries|files?|items?|lists?|marks?|markers?|notes?|tags?"
    r"|tasks?)\b",
    re.IGNORECASE,
)
_AFTER_PLACEHOLDER = re.compile(r"\s?[:\])]")
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
    "da", "de", "cs", "sk", "sl", "hr", "sr", "hu", "bg", "et", "lt", "lv", "is", "fi", "sv",
)  # fmt: skip
_CODE_TAGS = ("code", "pre", "kbd", "samp")
_STARTS_CLOSING = re.compile(r'["“]|[^"]*[^\s(]"')  # a paragraph that goes on with a quotation
_INCH_MARK = re.compile(r"\d\s*[\"″]")
_MAX_READING_MINUTES, _WORDS_PER_MINUTE = 20, 220
_MIN_SIMILARITY = 0.85
_PUNCTUATION = ".,;:!?()[]“”\"'\u2018\u2019"
_MIN_NAME_LENGTH = 6
_QUOTED_WORDS = 6  # shown before a quotation mark that nothing follows


@rule(
    "repeated-article",
    "warning",
    meaning="Readers get the same article twice; a send to any of them is refused.",
    remedy="Send something else, or send it with --repeat-article if readers are to get it twice.",
)
def repeated_article(context: CheckContext) -> Iterator[Match]:
    """Another issue that was sent or planned has the same article (80 % of its runs of words)."""
    article = make_article_text(context.article, context.email)
    for repeated in find_repeated_emails(article, context.earlier_emails):
        local = repeated.email.frozen_at.astimezone(ZoneInfo(context.config.timezone))
        yield Match(
            f"{repeated.share:.0%} of the article is in {repeated.email.issue} of {local.day} "
            f"{local:%b %Y}",
            context.source_map.file,
        )
        return


@rule(
    "leftover-tag",
    "error",
    meaning="Readers see template code where their name should be.",
    remedy="Write it as {{ subscriber.name }}, or remove it; in `code` it may stay.",
)
def leftover_tag(context: CheckContext) -> Iterator[Match]:
    """A merge tag or template syntax that won't be replaced, outside of code."""
    for text, key in (
        (context.default_email.subject, "subject"),
        (context.default_email.preheader, "preheader"),
    ):
        found = _SYNTAX.search(text)
        if tag := found[0] if found else next(find_reader_tags(text), ""):
            where = context.source_map.locate_setting(key, "title")
            yield Match(f"{tag} is left in the {key}", where, tag)
    in_template = {tag.text for tag, _ in find_template_tags(context)}  # foreign-merge-tag
    for run in context.text_runs:
        for tag in _iter_syntax(context, run):
            where = context.source_map.locate_text(tag)
            is_in_post = where.line is not None or tag not in in_template
            if is_in_post and not _is_in_code(run.element):
                yield Match(f"{tag} is left in the text", where, tag)


def _iter_syntax(context: CheckContext, run: TextRun) -> Iterator[str]:
    """Yield the template code in a run; ``*|CITY|*`` has become emphasis in Markdown."""
    if run.element.tag in {"em", "i"} and (found := _EMPHASIZED_TAG.fullmatch(run.text.strip())):
        yield found[0]
        return
    yield from (found[0] for found in _SYNTAX.finditer(run.text))
    yield from find_reader_tags(run.text)
    if "<>" in run.text:  # of <<name>>, HTML drops what it takes for a tag
        tags = find_reader_tags(context.front_matter.body)
        yield from dict.fromkeys(tag for tag in tags if tag.startswith("<<"))


@rule(
    "placeholder-text",
    "warning",
    meaning="Readers see a placeholder instead of the text.",
    remedy="Replace it with the text.",
)
def placeholder_text(context: CheckContext) -> Iterator[Match]:
    """Placeholder text outside of code: lorem ipsum, TODO, [First Name], Hi undefined."""
    language = context.issue.post.language.split("-")[0]
    link_texts = {f"[{get_visible_text(link).strip()}]" for link in context.body_tree.iter("a")}
    yield from _find_unfilled_names(context, link_texts)
    for block, text in zip(context.prose_blocks, context.masked_texts, strict=True):
        patterns = [_PLACEHOLDER]
        if language not in _TODO_WORD_LANGUAGES and not block.text.isupper():
            patterns.append(_TODO_IN_ENGLISH if language == "en" else _TODO)
        for found in (found for pattern in patterns for found in pattern.finditer(text)):
            if found[0] not in link_texts and not _is_mention(text, found):
                where = context.source_map.locate_text(block.text[found.start() :])
                yield Match(f"'{found[0]}' is a placeholder", where, found[0])
                break


def _find_unfilled_names(context: CheckContext, link_texts: Collection[str]) -> Iterator[Match]:
    """Yield what a service left where the reader's name should be."""
    email = context.default_email
    for text, key in ((email.subject, "subject"), (email.preheader, "preheader")):
        where = context.source_map.locate_setting(key, "title")
        for found in find_unfilled_names(text, is_line=key == "subject"):
            yield Match(f"'{found}' in the {key} is a placeholder", where, found)
    for text in context.masked_texts:
        for found in find_unfilled_names(text):
            if found not in link_texts:
                where = context.source_map.locate_text(found)
                yield Match(f"'{found}' is a placeholder", where, found)


def _is_mention(text: str, mark: re.Match[str]) -> bool:
    """Return whether a sentence is about TODO or FIXME, rather than marked by it."""
    if mark[0].upper() not in _TASK_MARKS or _AFTER_PLACEHOLDER.match(text, mark.end()):
        return False
    is_named = _BEFORE_MENTION.search(text[max(mark.start() - 9, 0) : mark.start()])
    return bool(is_named or _AFTER_MENTION.match(text, mark.end()))


@rule(
    "no-introduction",
    "warning",
    meaning="Readers get a list of links without a word from you.",
    remedy="Write a sentence or two below the front matter: what is in it, and why.",
)
def no_introduction(context: CheckContext) -> Iterator[Match]:
    """A digest without an introduction."""
    if context.issue.digest and not context.article.text.strip():
        yield Match("the digest has no introduction", context.source_map.locate_setting("digest"))


@rule(
    "sample-link",
    "warning",
    meaning="The link leads to a page that isn't yours.",
    remedy="Use the real URL.",
)
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
                context.source_map.locate_url(url, "button", "further", "digest"),
                url,
            )


@rule(
    "unbalanced-quotes",
    "hint",
    meaning="Readers can't tell where the quotation ends.",
    remedy="Add the missing quotation mark.",
)
def unbalanced_quotes(context: CheckContext) -> Iterator[Match]:
    """A quotation that is not closed in its paragraph and does not continue in the next."""
    if context.issue.post.language.split("-")[0] in _OTHER_QUOTE_LANGUAGES:
        return
    texts = context.masked_texts
    open_match: Match | None = None  # of a quotation that the next paragraph may go on with
    for index, (block, text) in enumerate(zip(context.prose_blocks, texts, strict=True)):
        next_text = texts[index + 1] if index + 1 < len(texts) else ""
        for opening, closing in _QUOTE_PAIRS.items():
            continues = next_text.startswith(opening)
            if text.count(opening) > text.count(closing) and not continues:
                yield _make_unclosed_match(context, block.text[text.rfind(opening) :])
        is_odd = text.count('"') % 2 and not _INCH_MARK.search(text)
        if open_match and _STARTS_CLOSING.match(text):
            open_match, is_odd = None, False
        elif open_match:
            yield open_match
        open_match = _make_straight_match(context, block.text, text) if is_odd else None
    if open_match:
        yield open_match


def _make_straight_match(context: CheckContext, text: str, masked_text: str) -> Match:
    mark = masked_text.rfind('"')
    if any(map(str.isalnum, text[mark:])):
        return _make_unclosed_match(context, text[mark:])
    words = " ".join(text.split()[-_QUOTED_WORDS:])
    return Match(f"'{words}' is never opened", context.source_map.locate_text(words), words)


def _make_unclosed_match(context: CheckContext, text: str) -> Match:
    return Match(
        f"'{shorten_quote(text)}' is never closed", context.source_map.locate_text(text), text[:80]
    )


@rule(
    "misspelt-name",
    "hint",
    meaning="A newsletter that misspells its own name looks like a fake.",
    remedy="Write it as in newsletter.yml.",
)
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
    "long-read",
    "hint",
    meaning="Few people read such a long email to the end.",
    remedy="Send the beginning, and link to the full post on your site.",
)
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
