"""What does not belong in a post: link spam and readers' comments, put aside for the editor.

Only short lines that stand alone are judged. A Greek word in a sentence, or a heading about
casinos in an article about casinos, is the article's own.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from newsletter.posts.importing.cleanup.boilerplate import Regions, regions
from newsletter.posts.importing.cleanup.paragraph import Passage

LATIN = "Latin"

# Scripts that one language mixes count as one; the rest are called by their Unicode name.
_FAMILIES = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Chinese or Japanese",
    "KATAKANA": "Chinese or Japanese",
    "BOPOMOFO": "Chinese or Japanese",
    "HANGUL": "Korean",
}


@lru_cache(maxsize=4096)
def script(char: str) -> str:
    """The script of one letter (``"Latin"``, ``"Arabic"``, …); empty for anything else.

    Compatibility forms count as what they stand for: a mathematical bold ``A`` is Latin.
    """
    plain = unicodedata.normalize("NFKC", char)[:1]
    if unicodedata.category(plain) not in {"Lu", "Ll", "Lt", "Lo"}:
        return ""
    family = unicodedata.name(plain, "").partition(" ")[0]
    return _FAMILIES.get(family, family.title())


def letters(text: str) -> Counter[str]:
    """How many letters of each script ``text`` holds."""
    found: Counter[str] = Counter()
    for char, count in Counter(text).items():
        if name := script(char):
            found[name] += count
    return found


TERMS: Mapping[str, str] = {
    "adult": (
        "porn, porno, pornhub, xvideos, xnxx, xxx, hentai, bokep, call girls, escort girls, "
        "escort service, escort services, live sex, sex cams, sex chat, sex video, sex videos, "
        "sexe gratuit, phim sex, video porno, videos porno, "
        "порно, порнуха, проститутки, секс видео, эскорт услуги, "
        "سكس, إباحي, اباحي, נערות ליווי, סקס חינם, "
        "色情, 成人视频, 成人影片, 無修正, エロ動画, 出会い系, 야동, หนังโป๊"
    ),
    "gambling": (
        "sportsbook, sportwetten, togel, kumarhane, bahis siteleri, betting site, "
        "betting sites, casino bonus, casino en ligne, casino online, free spins, deneme bonusu, "
        "no deposit bonus, online casino, online casinos, online poker, online slots, "
        "poker online, apuestas deportivas, casinos en línea, cassino online, judi bola, "
        "judi online, slot gacor, slot online, sports betting, sports bets, "
        "казино, букмекер, ставки на спорт, онлайн слоты, كازينو, مراهنات, "
        "博彩, 赌场, 賭場, 六合彩, 老虎机, カジノ, 카지노, 토토사이트, 바카라, บาคาร่า, สล็อต, คาสิโน"
    ),
    "drug": (
        "viagra, cialis, levitra, kamagra, sildenafil, tadalafil, phentermine, buy tramadol, "
        "buy xanax, canadian pharmacy, cheap meds, online pharmacy, weight loss pills, "
        "виагра, сиалис, فياجرا, فياغرا, 伟哥, 威而鋼, バイアグラ, 비아그라"
    ),
}


def terms_in(text: str) -> dict[str, str]:
    """The spam terms in ``text``, each with what it sells (``"adult"``, ``"gambling"``, …)."""
    plain = " ".join(text.casefold().split())
    return {found[0]: found.lastgroup or "" for found in _PATTERN.finditer(plain)}


def _alternatives() -> Iterator[str]:
    for kind, words in TERMS.items():
        yield f"(?P<{kind}>{'|'.join(_whole(word.casefold()) for word in words.split(', '))})"


def _whole(word: str) -> str:
    # Scripts without spaces between words have no word boundaries to look for.
    spaced = not re.search(r"[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]", word)
    return rf"\b{re.escape(word)}\b" if spaced else re.escape(word)


_PATTERN = re.compile("|".join(_alternatives()))


_SHORT = 30  # words
_BILINGUAL = 1 / 3  # of a post's letters: then the second script is the post's own too
_FEW = 3  # letters: fewer are a symbol or a unit (π, μm)
_MAJORITY = 1 / 2

_COMMENTS = re.compile(
    r"(\d+|one|two|three) (thoughts?|comments?|responses?|replies) (on|to) ?\W.*"
    r"|(\d+ )?(comments?|responses|replies)( \(\d+\))?:?",
    re.IGNORECASE,
)
_COMMENT_SAYS = re.compile(r".{1,60} says:?|reply|reply to .{1,60}", re.IGNORECASE)


def comments(passages: Sequence[Passage]) -> range:
    """Where readers' comments stand: under their heading, if a comment really follows."""
    count = len(passages)
    texts = [passage.text.strip() for passage in passages]
    last = max((at for at in range(count) if _COMMENT_SAYS.fullmatch(texts[at])), default=0)
    headings = (
        at for at in range(regions(passages).head + 1, last) if _COMMENTS.fullmatch(texts[at])
    )
    return range(next(headings, count), count)


def spam(passages: Sequence[Passage], running: Regions) -> dict[int, str]:
    """Which passages look like link spam, and why.

    Args:
        passages: the post in order, without its readers' comments.
        running: where its running text is.

    Returns:
        Index of the passage -> the reason in the editor's words, in the order of the post.
    """
    head, tail = running
    first = min(head + 1, tail)  # a title may be about anything
    prose = [p for p in passages if p.prose]
    main = _main_script(passages)
    own_scripts = {LATIN, main, *_second_scripts(passages), *_quoted(prose, main)}
    short = {at: p for at, p in enumerate(passages) if p.alone and p.words <= _SHORT}
    said = {at: terms_in(passage.text) for at, passage in short.items()}
    # Hardly a post has any: only then is all of it searched.
    own_terms = _own_terms(prose) if any(said.values()) else frozenset()
    found: dict[int, str] = {}
    for at, passage in short.items():
        foreign = _foreign(passage.text, own_scripts, in_tail=at >= tail and not passage.prose)
        terms = {term: kind for term, kind in said[at].items() if term not in own_terms}
        if foreign:
            found[at] = f"is in {foreign} script in a post in {main} script: looks like link spam"
        elif terms and at >= first and (len(said[at]) > 1 or not passage.prose):
            kind = next(iter(terms.values()))
            found[at] = f"has {_article(kind)} term that the post never uses: looks like link spam"
    return found


def _own_terms(prose: Iterable[Passage]) -> frozenset[str]:
    """The terms that the post itself speaks of: one may be a sentence's subject, several not."""
    found = ((passage, terms_in(passage.text)) for passage in prose)
    return frozenset(
        term
        for passage, terms in found
        if len(terms) == 1 or passage.words > _SHORT
        for term in terms
    )


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _main_script(passages: Iterable[Passage]) -> str:
    counted = letters(" ".join(p.text for p in passages))
    return counted.most_common(1)[0][0] if counted else LATIN


def _second_scripts(passages: Iterable[Passage]) -> set[str]:
    counted = letters(" ".join(p.text for p in passages))
    return {name for name, count in counted.items() if count > counted.total() * _BILINGUAL}


def _quoted(prose: Iterable[Passage], main: str) -> set[str]:
    """Scripts that the article's own sentences use: its subject, not spam."""
    return {
        name
        for passage in prose
        if _main_script([passage]) == main
        for name in letters(passage.text)
    }


def _foreign(text: str, own: set[str], *, in_tail: bool) -> str:
    """The script that does not belong, or empty; in the tail a single word is enough."""
    counted = letters(text)
    total = counted.total()
    for name, count in counted.most_common():
        if name not in own and count >= _FEW and (in_tail or count > total * _MAJORITY):
            return name
    return ""
