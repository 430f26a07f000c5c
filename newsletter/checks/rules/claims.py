"""Rules on claims: statistics, studies and quotations without a source."""

import re
from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.render.article.dom import Element, get_visible_text

rule = Topic("Claims").rule

_STUDY = re.compile(
    r"\b(?:an?|the|one|recent|new|several|many|some) (?:\w+ ){0,2}?"
    r"(?:study|survey|poll|meta-analysis)\b"
    r"|\b(?:studies|research|surveys|polls|statistics|data) (?:\w+ )?"
    r"(?:shows?|suggests?|finds?|found|indicates?|reveals?|proves?)\b"
    r"|\b(?:scientists|researchers|psychologists|economists|experts|doctors) (?:have )?(?:\w+ )?"
    r"(?:found|shown|proved|proven|discovered|estimate)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\b\d+(?:[.,]\d+)?(?: ?%| per ?cent| percent)"
    r"(?= (?:of|fewer|more|less|higher|lower|greater|increase|decrease|rise|drop|likelier)\b)",
    re.IGNORECASE,
)
_QUOTE = re.compile(
    r"(?:\bAs|\bas) (?P<who>[^.“\"]{3,80}?) (?:\w+ly )?"
    r"(?:puts it|put it|says|said|writes|wrote|noted|notes|observed)[^.“\"]{0,30}[,:] "
    r"(?P<quote>[“\"][^”\"]+)"
)
_NAME = re.compile(r"\b[A-Z][\w.\u2019-]+(?: [A-Z][\w.\u2019-]+)*")
_PARAGRAPH_TAGS = ("p", "li", "dd", "td")


@rule(
    "unsourced-claim",
    "hint",
    meaning="Readers can't look it up, and some won't believe it.",
    remedy="Link to the study, or name the source in a footnote.",
)
def unsourced_claim(context: CheckContext) -> Iterator[Match]:
    """A study or a statistic in a paragraph that links to no source (English)."""
    for text in _iter_unlinked_paragraphs(context):
        study, number = _STUDY.search(text), _NUMBER.search(text)
        if found := study or number:
            quoted = found[0]
            if study and number and study.start() < number.start():
                quoted = f"{study[0]} … {number[0]}"
            where = context.source_map.locate_text(text[found.start() :])
            yield Match(f"'{quoted}' links to no source", where, found[0])


@rule(
    "unsourced-quote",
    "hint",
    meaning="Readers can't look up whether it was said, and by whom.",
    remedy="Link to where it was said or written.",
)
def unsourced_quote(context: CheckContext) -> Iterator[Match]:
    """A quotation of a named person in a paragraph that links to no source (English)."""
    for text in _iter_unlinked_paragraphs(context):
        if found := _QUOTE.search(text):
            name = " ".join(_NAME.findall(found["who"])[-1:])
            if name:
                where = context.source_map.locate_text(found["quote"])
                yield Match(f"the quotation of {name} links to no source", where, found["quote"])


def _iter_unlinked_paragraphs(context: CheckContext) -> Iterator[str]:
    """Yield the text of every paragraph without a link; a footnote mark is a link too."""
    if context.issue.post.language.split("-")[0] != "en":
        return
    for element in context.body_tree.iter(*_PARAGRAPH_TAGS):
        if _has_link(element) or next(element.iterchildren("p", "ul", "ol"), None) is not None:
            continue
        yield " ".join(get_visible_text(element).split())


def _has_link(element: Element) -> bool:
    return next(element.iter("a"), None) is not None
