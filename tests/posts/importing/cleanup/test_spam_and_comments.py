from collections.abc import Sequence

import pytest

from newsletter.posts.importing.cleanup.classify import PassageClassification, classify_passages
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.cleanup.spam_and_comments import count_letters_by_script, get_script

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would be done with us."
)
ARTICLE = ("Low tide", SENTENCE, SENTENCE)


def get_set_aside(*lines: str) -> list[str]:
    return [entry.text for entry in _classify(lines).set_aside]


def _classify(lines: Sequence[str]) -> PassageClassification:
    return classify_passages([Passage(number, line) for number, line in enumerate(lines, 1)])


@pytest.mark.parametrize(
    "line",
    [
        "Read and watch more سكس",
        "смотреть онлайн бесплатно",
        "Visit us: 激安ブランド",
        "सस्ते जूते",
        "Find out more at παιχνίδια",
    ],
)
def test_short_line_with_another_script_below_the_article_is_set_aside(line: str) -> None:
    assert get_set_aside(*ARTICLE, line) == [line]


def test_line_entirely_in_another_script_is_set_aside_anywhere() -> None:
    line = "смотреть онлайн бесплатно"
    assert get_set_aside("Low tide", SENTENCE, line, SENTENCE) == [line]
    assert get_set_aside(line, *ARTICLE) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "Тише едешь — дальше будешь.",
        "港の朝は静かで、船は三日前からつながれたままだった。",
        "山田花子",
        "By Анна Петрова",
        "φιλία και ἔρως",
    ],
)
def test_a_quotation_or_a_name_on_its_own_line_is_kept(line: str) -> None:
    assert get_set_aside("Low tide", SENTENCE, line, SENTENCE) == []
    assert get_set_aside(*ARTICLE, line) == []


def test_a_foreign_line_with_an_address_or_twice_below_the_article_is_set_aside() -> None:
    line = "дождь и туман"
    assert get_set_aside(*ARTICLE, line, line) == [line, line]
    assert get_set_aside("Low tide", SENTENCE, f"{line} tuman.example") == [f"{line} tuman.example"]


@pytest.mark.parametrize(
    "sentence",
    [
        "She called it φιλία, the love between friends, and she said it without any irony at all.",
        "We met 村上春樹 at the ferry, or a man who looked like him, and he carried two umbrellas.",
    ],
)
def test_foreign_words_in_a_sentence_are_kept(sentence: str) -> None:
    assert get_set_aside("On words", SENTENCE, sentence) == []


def test_line_in_a_script_that_the_article_quotes_is_kept() -> None:
    quoting = f"{SENTENCE} The Greeks said φιλία for it."
    assert get_set_aside("On words", quoting, "φιλία και ἔρως", SENTENCE) == []


def test_heading_with_one_foreign_word_is_kept() -> None:
    assert get_set_aside("On words", SENTENCE, "What φιλία means", SENTENCE) == []


def test_units_and_symbols_do_not_count_as_foreign() -> None:
    assert get_set_aside(*ARTICLE, "About 5 μm, or π") == []


def test_post_in_two_scripts_is_kept() -> None:
    russian = "Лодки стояли с вторника, и никто не мог сказать, когда ветер нас отпустит."
    assert get_set_aside("Low tide", SENTENCE, russian, "Отлив", russian) == []


def test_latin_words_are_kept_in_any_post() -> None:
    japanese = "港の朝は静かで、船は三日前からつながれたままだった。風がいつやむのか誰も知らない。"
    assert get_set_aside("引き潮", japanese, japanese, "Docker Compose") == []


@pytest.mark.parametrize(
    "line",
    [
        "Best online casino",
        "buy xanax here",
        "Ставки на спорт",
        "Free porn",
        "博彩网站",
        "Compra viagra",
    ],
)
def test_short_line_with_a_spam_term_is_set_aside(line: str) -> None:
    assert get_set_aside("Low tide", SENTENCE, line, SENTENCE) == [line]


def test_sentence_with_several_spam_terms_is_set_aside() -> None:
    line = "Get your casino bonus and your free spins today, only here and only now."
    assert get_set_aside(*ARTICLE, line) == [line]


def test_terms_that_the_article_is_about_are_not_spam() -> None:
    about = "An online casino is a room without a door, and I spent the winter of my life in one."
    assert get_set_aside("My winter", about, "The online casino", SENTENCE) == []
    assert get_set_aside("The online casino", SENTENCE, SENTENCE) == []
    medicine = "My doctor put me on sildenafil last spring, and it helped me."
    assert get_set_aside("My year", SENTENCE, medicine, SENTENCE) == []


def test_word_that_only_contains_a_term_is_not_spam() -> None:
    assert get_set_aside(*ARTICLE, "Specialist in Cialisberg") == []


def test_reason_names_both_scripts() -> None:
    (entry,) = _classify((*ARTICLE, "Read and watch more سكس")).set_aside
    assert entry == (
        4,
        "Read and watch more سكس",
        "is in Arabic script in a post in Latin script: looks like link spam",
    )


def test_only_letters_have_a_script() -> None:
    assert count_letters_by_script("Añ1, жук! 東京タワー 서울") == {
        "Latin": 2,
        "Cyrillic": 3,
        "Chinese or Japanese": 4,
        "Korean": 2,
    }
    assert [get_script(char) for char in ("𝐀", "1", "́", "!")] == ["Latin", "", "", ""]


GIT, OTHER = "https://git.example/hana", "https://other.example/a"


@pytest.mark.parametrize(
    ("text", "links", "other_links", "count"),
    [
        ("山田花子", (), (), 0),
        ("山田花子", (GIT,), (GIT,), 0),
        ("山田花子", ("//git.example/b",), (GIT,), 0),
        ("山田花子", ("/hana", "#hana"), (), 0),
        ("山田花子", (OTHER,), (GIT,), 1),
        ("山田花子", (GIT, OTHER), (GIT,), 1),
        ("山田花子", (OTHER,), (), 1),
        ("онлайн казино", (), (), 1),  # a term is spam in any list
    ],
)
def test_name_in_a_list_is_spam_only_if_it_leads_elsewhere(
    text: str, links: tuple[str, ...], other_links: tuple[str, ...], count: int
) -> None:
    article = [Passage(number, line) for number, line in enumerate(ARTICLE, 1)]
    items = [
        Passage(8, "Ana Lund", group=1, links=other_links),
        Passage(9, text, group=1, links=links),
    ]
    found = classify_passages([*article, *items]).set_aside
    assert [entry.text for entry in found] == [text] * count


def test_code_has_no_spam_terms() -> None:
    article = [Passage(number, line) for number, line in enumerate(ARTICLE, 1)]
    for masked, count in (("Run 00000000", 0), ("Run viagra 0", 1), ("", 1)):
        passage = Passage(9, "Run viagra x", masked_text=masked)
        assert len(classify_passages([*article, passage]).set_aside) == count
