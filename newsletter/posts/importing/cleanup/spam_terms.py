"""Words that link spam uses and that hardly any post needs, in several languages.

Only words with one plain meaning are here: "sex", "poker" or "bet" alone say nothing.
"""

import re
from collections.abc import Iterator, Mapping

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
