"""Find link spam and readers' comments in an imported post.

They are set aside for the editor. Only short lines that stand alone are checked: a Greek word in a
sentence, or a heading about casinos in an article about casinos, belongs to the article.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from newsletter.posts.importing.cleanup.boilerplate import ContentRange, find_content_range
from newsletter.posts.importing.cleanup.paragraph import Passage, count_words

LATIN_SCRIPT = "Latin"

_MAX_SHORT_WORDS = 30
# Share of a post's letters above which a second script belongs to the post too.
_MIN_SECOND_SCRIPT_SHARE = 1 / 3
_MIN_FOREIGN_LETTERS = 3  # fewer are a symbol or a unit (π, μm)
_MAJORITY_SHARE = 1 / 2

_LINK_HOST = re.compile(r"(?:https?:)?//([^/?#]+)", re.IGNORECASE)
_SHOWN_HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,24}(?=[/?#\s:,]|$)", re.IGNORECASE)
# Words of advertising in lines in another script than the post's.
_ADVERTISING_WORDS = re.compile(
    r"бесплатн|скачать|недорого|\bонлайн\b|смотреть|激安|格安|通販|無料|免费|免費|下载|代购|مجان|تحميل|مشاهدة"  # noqa: RUF001 - Russian
    r"|सस्ते|मुफ़्त|मुफ्त|무료|할인|다운로드|ฟรี|ราคาถูก|חינם|δωρεάν|παιχνίδια|φθην",
    re.IGNORECASE,
)
_INVITATION = re.compile(
    r"\b(?:read|watch|visit|click|find|see|download|learn|play|buy|order|get)\b"
    r".{0,40}?\b(?:more|here|us|online|free|now|at)\b",
    re.IGNORECASE,
)
_SENTENCE_ENDS = (*".!?…", "。", "！", "？", "؟", "।")  # noqa: RUF001 - full-width stops
_SEPARATOR = re.compile(r"[,;:·•|、،，]|\s(?:and|und|et|y|og|och|en|e|i|&)\s")  # noqa: RUF001
_MIN_NAMES = 3
_MAX_NAME_WORDS = 5
_COMMENTS_HEADING = re.compile(
    r"(\d+|one|two|three) (thoughts?|comments?|responses?|replies) (on|to) ?\W.*"
    r"|(\d+ )?(comments?|responses|replies)( \(\d+\))?:?",
    re.IGNORECASE,
)
_UNSPACED_SCRIPT = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]")
_COMMENT_LINE = re.compile(r".{1,60} says:?|reply|reply to .{1,60}", re.IGNORECASE)

# Scripts that one language mixes count as one; the others have their Unicode names.
_SCRIPT_NAMES = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Chinese or Japanese",
    "KATAKANA": "Chinese or Japanese",
    "BOPOMOFO": "Chinese or Japanese",
    "HANGUL": "Korean",
}

SPAM_TERMS: Mapping[str, str] = {
    "adult": (
        "porn, porno, pornhub, xvideos, xnxx, xxx videos, xxx video, xxx movies, xxx sex, "
        "free xxx, hentai, bokep, call girls, escort girls, "
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


@lru_cache(maxsize=4096)
def get_script(char: str) -> str:
    """Return the script of one letter (``"Latin"``, ``"Arabic"``, …); empty for other characters.

    Compatibility forms count as their base character: a mathematical bold ``A`` is Latin.
    """
    plain = unicodedata.normalize("NFKC", char)[:1]
    if unicodedata.category(plain) not in {"Lu", "Ll", "Lt", "Lo"}:
        return ""
    family = unicodedata.name(plain, "").partition(" ")[0]
    return _SCRIPT_NAMES.get(family, family.title())


def count_letters_by_script(text: str) -> Counter[str]:
    """Return the number of letters of each script in ``text``."""
    counts: Counter[str] = Counter()
    for char, count in Counter(text).items():
        if script := get_script(char):
            counts[script] += count
    return counts


def find_spam_terms(text: str) -> dict[str, str]:
    """Return the spam terms in ``text``, each with its kind (``"adult"``, ``"gambling"``, …)."""
    plain = " ".join(text.casefold().split())
    return {found[0]: found.lastgroup or "" for found in _SPAM_TERM_PATTERN.finditer(plain)}


def _iter_alternatives() -> Iterator[str]:
    for kind, terms in SPAM_TERMS.items():
        words = [word.casefold() for word in terms.split(", ")]
        # Scripts without spaces between words have no word boundaries to match.
        unspaced = [re.escape(word) for word in words if _UNSPACED_SCRIPT.search(word)]
        spaced = [re.escape(word) for word in words if not _UNSPACED_SCRIPT.search(word)]
        # One boundary for all: tested for each word, it takes ten times as long.
        whole_words = [rf"\b(?:{'|'.join(spaced)})\b"] if spaced else []
        yield f"(?P<{kind}>{'|'.join(whole_words + unspaced)})"


_SPAM_TERM_PATTERN = re.compile("|".join(_iter_alternatives()))


def find_comments(passages: Sequence[Passage]) -> range:
    """Return the range of readers' comments: below their heading, if a comment follows it."""
    count = len(passages)
    texts = [passage.text.strip() for passage in passages]
    last = max(
        (index for index in range(count) if _COMMENT_LINE.fullmatch(texts[index])), default=0
    )
    headings = (
        index
        for index in range(find_content_range(passages).start + 1, last)
        if not passages[index].group and _COMMENTS_HEADING.fullmatch(texts[index])
    )
    return range(next(headings, count), count)


def find_spam(passages: Sequence[Passage], content: ContentRange) -> dict[int, str]:
    """Find the passages that look like link spam.

    Args:
        passages: the post in order, without its readers' comments.
        content: the range of its running text.

    Returns:
        Index of the passage -> the reason, as shown to the editor, in the order of the post.
    """
    head, tail = content
    first_checked = min(head + 1, tail)  # a title may be about anything
    prose = [passage for passage in passages if passage.is_prose]
    letter_counts = count_letters_by_script(" ".join(passage.text for passage in passages))
    main_script = _get_main_script(letter_counts)
    own_scripts = {LATIN_SCRIPT, main_script, *_get_quoted_scripts(prose, main_script)}
    min_letters = letter_counts.total() * _MIN_SECOND_SCRIPT_SHARE
    own_scripts |= {script for script, count in letter_counts.items() if count > min_letters}
    short = {
        index: passage
        for index, passage in enumerate(passages)
        if passage.is_standalone and passage.word_count <= _MAX_SHORT_WORDS
    }
    terms_by_index = {
        index: find_spam_terms(passage.masked_text or passage.text)
        for index, passage in short.items()
    }
    texts_in_tail = Counter(passage.text for passage in passages[tail:] if not passage.group)
    # The running text is searched only if a short passage has a term, as in few posts.
    own_terms = _find_own_terms(prose) if any(terms_by_index.values()) else frozenset()
    reasons: dict[int, str] = {}
    for index, passage in short.items():
        foreign = _find_foreign_script(
            passage.text, own_scripts, in_tail=index >= tail and not passage.is_prose
        )
        terms = {
            term: kind for term, kind in terms_by_index[index].items() if term not in own_terms
        }
        is_injected = foreign and (
            bool(terms_by_index[index])
            or _has_foreign_link(passage, passages)
            or _is_advertisement(passage.text, is_in_tail=index >= tail)
            or (index >= tail and texts_in_tail[passage.text] > 1)
        )
        if is_injected:
            reasons[index] = (
                f"is in {foreign} script in a post in {main_script} script: looks like link spam"
            )
        elif (
            terms
            and index >= first_checked
            and (len(terms_by_index[index]) > 1 or not passage.is_prose)
        ):
            kind = next(iter(terms.values()))
            reasons[index] = (
                f"has {'an' if kind[0] in 'aeiou' else 'a'} {kind} term that the post never uses: "
                "looks like link spam"
            )
    return reasons


def _has_foreign_link(passage: Passage, passages: Sequence[Passage]) -> bool:
    """Return whether a passage has a link that is not one of several to profiles on one site.

    Contributors have names in every script. An injected link leads to a site of its own.
    """
    hosts = _get_link_hosts(passage)
    if passage.group:
        others = (other for other in passages if other.group == passage.group)
        return not hosts <= {
            host for other in others if other is not passage for host in _get_link_hosts(other)
        }
    parts = _SEPARATOR.split(passage.text)
    is_enumeration = len(parts) >= _MIN_NAMES and all(
        count_words(part) <= _MAX_NAME_WORDS for part in parts
    )
    return bool(hosts) and not (is_enumeration and len(hosts) == 1 and len(passage.links) > 1)


def _is_advertisement(text: str, *, is_in_tail: bool) -> bool:
    """Return whether a line in another script advertises something, rather than quotes or names.

    Below the article it may also be an invitation in the post's own language: "Read more at …".
    """
    word_count = len(_ADVERTISING_WORDS.findall(text))
    if text.rstrip().endswith(_SENTENCE_ENDS):
        return word_count > 1  # a proverb may have one of them
    return word_count > 0 or (is_in_tail and bool(_INVITATION.search(text)))


def _get_link_hosts(passage: Passage) -> set[str]:
    found = map(_LINK_HOST.match, passage.links)
    hosts = [host[1] for host in found if host] or _SHOWN_HOST.findall(passage.text)
    return {host.lower() for host in hosts}


def _find_own_terms(prose: Iterable[Passage]) -> frozenset[str]:
    """Return the spam terms that the article itself uses.

    A short passage with several of them is spam, not a use.
    """
    found = ((passage, find_spam_terms(passage.masked_text or passage.text)) for passage in prose)
    return frozenset(
        term
        for passage, terms in found
        if len(terms) == 1 or passage.word_count > _MAX_SHORT_WORDS
        for term in terms
    )


def _get_main_script(letter_counts: Counter[str]) -> str:
    return letter_counts.most_common(1)[0][0] if letter_counts else LATIN_SCRIPT


def _get_quoted_scripts(prose: Iterable[Passage], main_script: str) -> set[str]:
    """Return the scripts quoted in the article's own sentences; they are not spam."""
    counts = (count_letters_by_script(passage.text) for passage in prose)
    return {
        script
        for letter_counts in counts
        if _get_main_script(letter_counts) == main_script
        for script in letter_counts
    }


def _find_foreign_script(text: str, own_scripts: set[str], *, in_tail: bool) -> str:
    """Return the script that doesn't belong, or empty; in the tail a single word is enough."""
    letter_counts = count_letters_by_script(text)
    total = letter_counts.total()
    for script, count in letter_counts.most_common():
        if (
            script not in own_scripts
            and count >= _MIN_FOREIGN_LETTERS
            and (in_tail or count > total * _MAJORITY_SHARE)
        ):
            return script
    return ""
