"""Which earlier emails count as the same article: spelling, scripts, formats, short posts."""

import datetime
import unicodedata
from collections.abc import Sequence

import pytest

from newsletter.checks.analysis.article_similarity import (
    ArticleText,
    EarlierEmail,
    find_repeated_emails,
    make_shingles,
    split_words,
)

WORDS = (
    "The ice let go on Tuesday, a little after nine, with a sound like a door in another house. "
    "By noon the inner basin was open water, and the ferry, which had lain at the coal quay since "
    "January, sounded its horn three times for nobody in particular. "
)
OTHER_WORDS = (
    "Nobody in the harbour can say who first painted the bollards yellow, but everybody has an "
    "opinion about it, and on Fridays the opinions are exchanged beside the fish van at length. "
)


FOOTER = " ".join(f"footer{number}" for number in range(150))


def as_email(article: str, title: str = "Spring") -> str:
    """Return an article between masthead and footer."""
    return (
        f"Harbour Notes\n\n{title}\n\n{article}\n\nYou're receiving this because you subscribed to "
        f"Harbour Notes. Unsubscribe: -nlunsubscribeu-\n\n{FOOTER}, Strandgaten 4, Bergen\n"
    )


def find_shares(article: str, *earlier: str, titles: Sequence[str] = ()) -> dict[int, int]:
    """Return in which of the earlier articles, the latest first, how many percent of it are."""
    emails = [
        EarlierEmail(
            number,
            f"issue-{number}",
            datetime.datetime(2026, 11, 15, tzinfo=datetime.UTC),
            as_email(text, titles[number] if titles else f"Spring {number}"),
        )
        for number, text in enumerate(earlier)
    ]
    texts = ArticleText("new", article, as_email(article, "Summer"))
    found = find_repeated_emails(texts, emails)
    return {repeated.email.send_id: round(100 * repeated.share) for repeated in found}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("one two three four", 0),
        ("one two three four five", 1),
        ("one two three four five six", 2),
        ("One, TWO; three: four (five)!", 1),
        ("one two [1] three four -nl1t- [23]", 0),
        ("今日は良い天気", 3),
        ("one two three four five one two three four five", 5),
    ],
)
def test_shingles_are_runs_of_five_words(text: str, count: int) -> None:
    assert len(make_shingles(split_words(text))) == count


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Café crème à l'œuvre", unicodedata.normalize("NFD", "café CRÈME à l'œuvre")),
        ("قَالَتِ الرِّيحُ", "قالت الريح"),
        ("בְּרֵאשִׁית בָּרָא", "בראשית ברא"),
        ("STRASSE", "straße"),
        ("İstanbul", "istanbul"),
        ("ﬁrst x²", "first x2"),
        ("extra\u00adordinary", "extraordinary"),
        ("ｶﾞｽ", "ガス"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("_very_ *good*", "very good"),
        ("https://a.example/2026/ice/?utm_source=x#top", "http://b.example/2026/ice"),
        ("https://a.example/", ""),
    ],
)
def test_spellings_of_the_same_words_are_equal(text: str, same: str) -> None:
    assert split_words(text) == split_words(same)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("今日は良い天気", 7),
        ("海港的冰在星期二融化了", 11),
        ("น้ำแข็งละลาย", 10),
        ("한국", 2),
        ("𠮷野家", 3),
        ("港の ferry", 3),
        ("Größe 10", 2),
    ],
)
def test_scripts_without_spaces_are_split_into_characters(text: str, count: int) -> None:
    assert len(split_words(text)) == count


@pytest.mark.parametrize(
    ("article", "earlier", "shares"),
    [
        (WORDS, WORDS, {0: 100}),
        (unicodedata.normalize("NFD", WORDS.replace("a", "ä")), WORDS.replace("a", "ä"), {0: 100}),
        (WORDS.replace("three times", "thrice"), WORDS, {0: 88}),
        (f"{WORDS}\n\n{OTHER_WORDS}", WORDS, {}),
        (WORDS, f"{WORDS}\n\n{OTHER_WORDS}", {0: 100}),
        (OTHER_WORDS, WORDS, {}),
        ("海港的冰在星期二早上融化了声音像门", "海港的冰在星期二早上融化了。声音像门", {0: 100}),
        ("海港的冰在星期二早上九点融化了声音像门", "春天来了船只回到码头人们在市场上买鱼", {}),
        ("น้ำแข็งละลายในเช้าวันอังคาร", "น้ำแข็งละลายในเช้าวันอังคาร", {0: 100}),
        ("", "", {}),
        ("https://harbour.example/", "https://harbour.example/", {}),
    ],
)
def test_four_fifths_of_the_article_are_a_repetition(
    article: str, earlier: str, shares: dict[int, int]
) -> None:
    assert find_shares(article, earlier) == shares


@pytest.mark.parametrize(
    ("article", "earlier", "is_repeated"),
    [
        ("Back soon", "Back soon", True),
        ("Back soon", f"{WORDS} We are back soon after Easter.", False),
        ("The whole story is on the blog.", "The whole story is on the blog.", True),
        ("The whole story is on the blog.", "The whole story is in the harbour.", False),
        ("New: [1]\n\n[1] https://a.example/ice", "New: [1]\n\n[1] https://a.example/ice", True),
        ("New: [1]\n\n[1] https://a.example/ice", "New: [1]\n\n[1] https://a.example/tern", False),
        ("Unsubscribe", "Back soon", False),
        ("Harbour Notes", OTHER_WORDS, False),
        ("港が開いた", "港が開いた", True),
        ("港が開いた", "港が閉じた", False),
    ],
)
def test_short_article_is_repeated_by_a_short_email_only(
    article: str,
    earlier: str,
    is_repeated: bool,
) -> None:
    assert bool(find_shares(article, earlier)) == is_repeated


def test_short_text_of_two_different_earlier_issues_is_a_format() -> None:
    caption = "The picture of the week"
    assert find_shares(caption, caption) == {0: 100}
    assert find_shares(caption, caption, caption, titles=("Terns", "Terns")) == {0: 100, 1: 100}
    assert find_shares(caption, caption, caption, titles=("Terns", "Fog")) == {}


def digest(links: str) -> str:
    """Return a weekly list of links: nine tenths of it are the same each week."""
    return f"{WORDS}{OTHER_WORDS}Do write to us with what you have read. This week: {links}"


DIGESTS = [
    digest("Gulls that sleep standing, and a map of wrecks."),
    digest("Sailing without a compass; how rope was made."),
    digest("A tide table from 1840 has been found."),
    digest("Why lighthouses are painted in stripes today."),
]


def test_text_that_two_earlier_issues_share_is_a_format() -> None:
    newest, *earlier = DIGESTS
    assert find_shares(newest, *earlier) == {}
    assert find_shares(newest, earlier[0]) == {0: 91}
    assert find_shares(earlier[0], *earlier) == {0: 100}


def test_podcast_and_monthly_event_are_formats() -> None:
    def episode(number: int, name: str) -> str:
        return f"{WORDS} Episode {number}: {name}. Listen wherever you get podcasts."

    def evening(date: str, speaker: str) -> str:
        return f"{OTHER_WORDS} We meet on {date} at seven in the net loft; {speaker} speaks."

    names = "The ice", "Yellow bollards", "Fog"
    first, *others = (episode(number, name) for number, name in enumerate(names))
    assert find_shares(first, *others) == {}
    first, *others = evening("3 May", "Bo"), evening("7 June", "Ida"), evening("5 July", "Kaj")
    assert find_shares(first, *others) == {}


LONG = " ".join(f"word{number}" for number in range(300))


@pytest.mark.parametrize(
    "article",
    [
        LONG,
        LONG.replace("word120", "correction"),
        f"{LONG} {OTHER_WORDS}",
        LONG.replace("word120", WORDS[:100]),
    ],
)
def test_article_sent_twice_is_no_format(article: str) -> None:
    corrected = LONG.replace("word50 ", "corrected ")
    assert list(find_shares(article, LONG, LONG, WORDS, titles=("A", "A", "B"))) == [0, 1]
    assert list(find_shares(article, LONG, corrected, WORDS)) == [0, 1]
