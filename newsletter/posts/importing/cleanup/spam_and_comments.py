"""What does not belong in a post: link spam and readers' comments, put aside for the editor.

Only short lines that stand alone are judged. A Greek word in a sentence, or a heading about
casinos in an article about casinos, is the article's own.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from newsletter.posts.importing.cleanup.boilerplate import ContentRange, find_content_range
from newsletter.posts.importing.cleanup.paragraph import Passage

LATIN_SCRIPT = "Latin"

# Scripts that one language mixes count as one; the rest are called by their Unicode name.
_SCRIPT_NAMES = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Chinese or Japanese",
    "KATAKANA": "Chinese or Japanese",
    "BOPOMOFO": "Chinese or Japanese",
    "HANGUL": "Korean",
}


@lru_cache(maxsize=4096)
def get_script(char: str) -> str:
    """The script of one letter (``"Latin"``, ``"Arabic"``, …); empty for anything else.

    Compatibility forms count as what they stand for: a mathematical bold ``A`` is Latin.
    """
    plain = unicodedata.normalize("NFKC", char)[:1]
    if unicodedata.category(plain) not in {"Lu", "Ll", "Lt", "Lo"}:
        return ""
    family = unicodedata.name(plain, "").partition(" ")[0]
    return _SCRIPT_NAMES.get(family, family.title())


def count_letters_by_script(text: str) -> Counter[str]:
    """How many letters of each script ``text`` holds."""
    found: Counter[str] = Counter()
    for char, count in Counter(text).items():
        if name := get_script(char):
            found[name] += count
    return found


SPAM_TERMS: Mapping[str, str] = {
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


def find_spam_terms(text: str) -> dict[str, str]:
    """The spam terms in ``text``, each with what it sells (``"adult"``, ``"gambling"``, …)."""
    plain = " ".join(text.casefold().split())
    return {found[0]: found.lastgroup or "" for found in _SPAM_TERM_PATTERN.finditer(plain)}


def _iter_alternatives() -> Iterator[str]:
    for kind, words in SPAM_TERMS.items():
        yield (
            f"(?P<{kind}>"
            f"{'|'.join(_match_whole_word(word.casefold()) for word in words.split(', '))})"
        )


def _match_whole_word(word: str) -> str:
    # Scripts without spaces between words have no word boundaries to look for.
    spaced = not re.search(r"[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]", word)
    return rf"\b{re.escape(word)}\b" if spaced else re.escape(word)


_SPAM_TERM_PATTERN = re.compile("|".join(_iter_alternatives()))


_MAX_SHORT_WORDS = 30  # words
_MIN_SECOND_SCRIPT_SHARE = (
    1 / 3
)  # of a post's letters: then the second script is the post's own too
_MIN_FOREIGN_LETTERS = 3  # letters: fewer are a symbol or a unit (π, μm)
_MAJORITY_SHARE = 1 / 2

_COMMENTS_HEADING = re.compile(
    r"(\d+|one|two|three) (thoughts?|comments?|responses?|replies) (on|to) ?\W.*"
    r"|(\d+ )?(comments?|responses|replies)( \(\d+\))?:?",
    re.IGNORECASE,
)
_COMMENT_LINE = re.compile(r".{1,60} says:?|reply|reply to .{1,60}", re.IGNORECASE)


def find_comments(passages: Sequence[Passage]) -> range:
    """Where readers' comments stand: under their heading, if a comment really follows."""
    count = len(passages)
    texts = [passage.text.strip() for passage in passages]
    last = max((at for at in range(count) if _COMMENT_LINE.fullmatch(texts[at])), default=0)
    headings = (
        at
        for at in range(find_content_range(passages).start + 1, last)
        if _COMMENTS_HEADING.fullmatch(texts[at])
    )
    return range(next(headings, count), count)


def find_spam(passages: Sequence[Passage], content: ContentRange) -> dict[int, str]:
    """Which passages look like link spam, and why.

    Args:
        passages: the post in order, without its readers' comments.
        content: where its running text is.

    Returns:
        Index of the passage -> the reason in the editor's words, in the order of the post.
    """
    head, tail = content
    first = min(head + 1, tail)  # a title may be about anything
    prose = [p for p in passages if p.is_prose]
    main = _get_main_script(passages)
    own_scripts = {
        LATIN_SCRIPT,
        main,
        *_get_second_scripts(passages),
        *_get_quoted_scripts(prose, main),
    }
    short = {
        at: p
        for at, p in enumerate(passages)
        if p.is_standalone and p.word_count <= _MAX_SHORT_WORDS
    }
    said = {at: find_spam_terms(passage.text) for at, passage in short.items()}
    # Hardly a post has any: only then is all of it searched.
    own_terms = _find_own_terms(prose) if any(said.values()) else frozenset()
    found: dict[int, str] = {}
    for at, passage in short.items():
        foreign = _find_foreign_script(
            passage.text, own_scripts, in_tail=at >= tail and not passage.is_prose
        )
        terms = {term: kind for term, kind in said[at].items() if term not in own_terms}
        if foreign:
            found[at] = f"is in {foreign} script in a post in {main} script: looks like link spam"
        elif terms and at >= first and (len(said[at]) > 1 or not passage.is_prose):
            kind = next(iter(terms.values()))
            found[at] = (
                f"has {_add_indefinite_article(kind)} term that the post never uses: "
                "looks like link spam"
            )
    return found


def _find_own_terms(prose: Iterable[Passage]) -> frozenset[str]:
    """The terms that the post itself speaks of: one may be a sentence's subject, several not."""
    found = ((passage, find_spam_terms(passage.text)) for passage in prose)
    return frozenset(
        term
        for passage, terms in found
        if len(terms) == 1 or passage.word_count > _MAX_SHORT_WORDS
        for term in terms
    )


def _add_indefinite_article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _get_main_script(passages: Iterable[Passage]) -> str:
    counted = count_letters_by_script(" ".join(p.text for p in passages))
    return counted.most_common(1)[0][0] if counted else LATIN_SCRIPT


def _get_second_scripts(passages: Iterable[Passage]) -> set[str]:
    counted = count_letters_by_script(" ".join(p.text for p in passages))
    return {
        name
        for name, count in counted.items()
        if count > counted.total() * _MIN_SECOND_SCRIPT_SHARE
    }


def _get_quoted_scripts(prose: Iterable[Passage], main_script: str) -> set[str]:
    """Scripts that the article's own sentences use: its subject, not spam."""
    return {
        name
        for passage in prose
        if _get_main_script([passage]) == main_script
        for name in count_letters_by_script(passage.text)
    }


def _find_foreign_script(text: str, own_scripts: set[str], *, in_tail: bool) -> str:
    """The script that does not belong, or empty; in the tail a single word is enough."""
    counted = count_letters_by_script(text)
    total = counted.total()
    for name, count in counted.most_common():
        if (
            name not in own_scripts
            and count >= _MIN_FOREIGN_LETTERS
            and (in_tail or count > total * _MAJORITY_SHARE)
        ):
            return name
    return ""
