"""Rules on what the text says: what was left in it by mistake."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic
from newsletter.posts.importing.cleanup.paragraph import count_words
from newsletter.render.article.dom import Element

rule = Topic("Content").rule

_SYNTAX = re.compile(
    r"\{\{[^{}\n]{1,80}\}\}|\{%[^{}\n]{1,80}%\}|\*?\|[A-Z][A-Z0-9_:]+\|\*?|%%\w{2,40}%%"
    r"|-nl\d+[htu]-|<%=?[^%\n]{1,80}%>"
)
_PLACEHOLDER = re.compile(
    r"lorem ipsum|dolor sit amet|\[(?:insert|your|add|name|title|link)\b[^\]\n]{0,40}\]"
    r"|your (?:text|title|headline) here|\bTKTK\b|\bFIXME\b",
    re.IGNORECASE,
)
_TODO = re.compile(r"\b(?:TODO|TBD|TK)\b")
# "Todo" in capitals means "all".
_TODO_IS_A_WORD = ("es", "pt", "gl", "ca")
_SAMPLE = re.compile(
    r"^https?://(?:www\.)?(?:example\.(?:com|net|org)"
    r"|(?:your|my)-?(?:domain|site|company|newsletter)\.\w+|domain\.com)(?=[/:?#]|$)",
    re.IGNORECASE,
)
_PAIRS = {"“": "”", "«": "»"}
_NO_PAIRS = (
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
_CODE = ("code", "pre", "kbd", "samp")
_MEASURE = re.compile(r"\d\s*[\"″]")
_MINUTES, _A_MINUTE = 20, 220
_NEAR = 0.85
_AROUND = ".,;:!?()[]“”\"'\u2018\u2019"
_NAME_LENGTH = 6


@rule(
    "leftover-tag", "error",
    meaning="Readers see code of a template where their name should be.",
    remedy="Write it as {{ subscriber.name }}, or take it out; in `code` it may stay.",
)  # fmt: skip
def leftover_tag(mail: Mail) -> Iterator[Hit]:
    """A merge tag or template syntax that nobody will fill in, outside of code."""
    for part, keys in ((mail.plain.subject, "subject"), (mail.plain.preheader, "preheader")):
        if found := _SYNTAX.search(part):
            yield Hit(f"{found[0]} is left in the {keys}", mail.places.key(keys, "title"), found[0])
    for run in mail.runs:
        for found in _SYNTAX.finditer(run.text):
            if not _in_code(run.element):
                where = mail.places.words(found[0])
                yield Hit(f"{found[0]} is left in the text", where, found[0])


@rule(
    "placeholder-text", "warning",
    meaning="Readers see words that only stood in for others.",
    remedy="Write what was meant.",
)  # fmt: skip
def placeholder_text(mail: Mail) -> Iterator[Hit]:
    """Lorem ipsum, TODO, [insert …]: words that stand in for others."""
    language = mail.issue.post.language.split("-")[0]
    for block in mail.prose:
        found = _PLACEHOLDER.search(block.text)
        if found is None and language not in _TODO_IS_A_WORD:
            found = _TODO.search(block.text) if not block.text.isupper() else None
        if found:
            where = mail.places.words(block.text[found.start() :])
            yield Hit(f"'{found[0]}' is a placeholder", where, found[0])


@rule(
    "sample-link", "warning",
    meaning="The link leads to nobody's page.",
    remedy="Put the address there that you mean.",
)  # fmt: skip
def sample_link(mail: Mail) -> Iterator[Hit]:
    """A link or an image whose address is an example's: example.com, your-domain.com."""
    urls = [link.url for link in mail.links] + [image.get("src") or "" for image in mail.images]
    for url in dict.fromkeys(urls):
        if _SAMPLE.search(url):
            yield Hit(f"{url[:80]} is an example", mail.places.url(url, "button", "further"), url)


@rule(
    "unbalanced-quotes", "hint",
    meaning="Readers can't tell where the quotation ends.",
    remedy="Close it.",
)  # fmt: skip
def unbalanced_quotes(mail: Mail) -> Iterator[Hit]:
    """A quotation that opens and never closes in its paragraph, nor goes on in the next."""
    if mail.issue.post.language.split("-")[0] in _NO_PAIRS:
        return
    for block, after in zip_longest(mail.prose, mail.prose[1:]):
        text = block.text
        for opens, closes in _PAIRS.items():
            goes_on = after is not None and after.text.startswith(opens)
            if text.count(opens) > text.count(closes) and not goes_on:
                start = text.rfind(opens)
                yield _open_quote(mail, text[start:])
        if text.count('"') % 2 and not _MEASURE.search(text):
            yield _open_quote(mail, text[text.rfind('"') :])


def _open_quote(mail: Mail, text: str) -> Hit:
    return Hit(f"'{shortened(text)}' is never closed", mail.places.words(text), text[:80])


@rule(
    "misspelt-name", "hint",
    meaning="A newsletter that misspells itself looks like somebody else's.",
    remedy="Write it as in newsletter.yml.",
)  # fmt: skip
def misspelt_name(mail: Mail) -> Iterator[Hit]:
    """The newsletter's own name, nearly."""
    name = mail.config.name
    size = len(name.split())
    if len(name) < _NAME_LENGTH:
        return
    for block in mail.prose:
        if name[0] not in block.text:
            continue
        words = [word.strip(_AROUND) for word in block.text.split()]
        for at, word in enumerate(words):
            if word[:1] == name[0]:
                said = " ".join(words[at : at + size])
                if said != name and _nearly(said, name):
                    where = mail.places.words(" ".join(words[at : at + size + 2]))
                    yield Hit(f"'{said}' is nearly '{name}'", where, said)


def _nearly(said: str, name: str) -> bool:
    if abs(len(said) - len(name)) > 2 or said.removesuffix("\u2019s").removesuffix("'s") == name:  # noqa: PLR2004
        return False
    return SequenceMatcher(None, said.casefold(), name.casefold()).ratio() >= _NEAR


@rule(
    "long-read", "hint",
    meaning="Few read so long a mail to its end.",
    remedy="Send the beginning, and link to the whole on your site.",
)  # fmt: skip
def long_read(mail: Mail) -> Iterator[Hit]:
    """The post takes more than 20 minutes to read."""
    minutes = round(mail.words / _A_MINUTE)
    if minutes > _MINUTES:
        yield Hit(f"{mail.words:,} words take {minutes} minutes to read", mail.places.file)


def shortened(text: str, most: int = 50) -> str:
    """``text`` cut between words where it is too long to be quoted."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    return text[:most].rsplit(" ", 1)[0] + " …" if count_words(text) > 1 else text[:most] + "…"


def _in_code(element: Element) -> bool:
    return element.tag in _CODE or next(element.iterancestors(*_CODE), None) is not None
