import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from newsletter.errors import SubscriberListError
from newsletter.subscribers.segments.ast import (
    BUILTIN_FIELDS,
    And,
    Comparison,
    HasEngagement,
    HasStatus,
    HasTag,
    Not,
    Or,
    Query,
    SegmentField,
)
from newsletter.subscribers.segments.ast_builder import KnownNames
from newsletter.subscribers.segments.known_sends import KnownSend
from newsletter.subscribers.segments.parser import MAX_QUERY_LENGTH, parse_query

TODAY = datetime.date(2026, 3, 31)
KNOWN = KnownNames(
    tags=("vip", "VIP", "big spender", "and", "2026-01-01"),
    attributes={"city": "text", "age": "number", "member": "boolean", "birthday": "date"},
    sends=tuple(
        KnownSend(number, issue)
        for number, issue in enumerate(
            ("2026-11-22-reading-the-tide", "2026-10-01-ice", "2025-10-01-ice"), 1
        )
    ),
)
VIP = HasTag(("VIP", "vip"))
CITY, AGE = SegmentField("city", "text"), SegmentField("age", "number")
JOINED = BUILTIN_FIELDS["joined"]


def parse(text: str) -> Query:
    return parse_query(text, KNOWN, TODAY)


def error_messages(text: str) -> list[str]:
    with pytest.raises(SubscriberListError) as caught:
        parse(text)
    return [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("tag:vip", VIP),
        ("TAG : Vip", VIP),
        ("tag:'big spender'", HasTag(("big spender",))),
        ('tag:"and"', HasTag(("and",))),
        ("tag:2026-01-01", HasTag(("2026-01-01",))),
        ("status:Active", HasStatus("active")),
        ("opened:last-5", HasEngagement("opened", 5)),
        ("not sent:2026-10-01-ice", Not(HasEngagement("sent", "2026-10-01-ice"))),
        ("clicked:reading-the-tide", HasEngagement("clicked", "2026-11-22-reading-the-tide")),
        ("city=Bergen", Comparison(CITY, "=", "Bergen")),
        ("City != 'Bergen'", Comparison(CITY, "!=", "Bergen")),
        ("age>=-1.5", Comparison(AGE, ">=", -1.5)),
        ("age = 007", Comparison(AGE, "=", 7)),
        ("member = yes", Comparison(SegmentField("member", "boolean"), "=", value=True)),
        (
            "birthday < 2000-02-29",
            Comparison(SegmentField("birthday", "date"), "<", datetime.date(2000, 2, 29)),
        ),
        ("joined = Today", Comparison(JOINED, "=", TODAY)),
        ("joined > 30 days ago", Comparison(JOINED, ">", datetime.date(2026, 3, 1))),
        ("joined > 1 month ago", Comparison(JOINED, ">", datetime.date(2026, 2, 28))),
        ("joined > 2 WEEKS  ago", Comparison(JOINED, ">", datetime.date(2026, 3, 17))),
        ("joined > 99999 years ago", Comparison(JOINED, ">", datetime.date(1900, 1, 1))),
        (
            "email = Ada@M\u00fcnchen.de",
            Comparison(BUILTIN_FIELDS["email"], "=", "ada@xn--mnchen-3ya.de"),
        ),
        ("email ~ @gmail.", Comparison(BUILTIN_FIELDS["email"], "~", "@gmail.")),
        ("domain = GMAIL.com", Comparison(BUILTIN_FIELDS["domain"], "=", "gmail.com")),
        (r"name ~ 'O\'Brien'", Comparison(BUILTIN_FIELDS["name"], "~", "O'Brien")),
        (
            "tag:vip or age = 1 and not age = 2",
            Or((VIP, And((Comparison(AGE, "=", 1), Not(Comparison(AGE, "=", 2)))))),
        ),
        (
            "(tag:vip OR age = 1)\n AND age = 2",
            And((Or((VIP, Comparison(AGE, "=", 1))), Comparison(AGE, "=", 2))),
        ),
        ("(" * 300 + "tag:vip" + ")" * 300, VIP),
    ],
)
def test_parse_query(text: str, query: Query) -> None:
    assert parse(text) == query
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("tg:vip", "tg", "there is no test 'tg:'. Did you mean 'tag'?"),
        ("tag:vpi and age = 1", "vpi", "no reader has the tag 'vpi'. Did you mean 'vip'?"),
        ("status:aktyve", "aktyve", "'aktyve' is not a status. Did you mean 'active'?"),
        ("(citty = Bergen)", "citty", "there is no attribute 'citty'. Did you mean 'city'?"),
        ("has:jioned", "jioned", "there is no attribute 'jioned'. Did you mean 'joined'?"),
        ("sent:ice", "ice", "2 issues are called 'ice': 2026-10-01-ice, 2025-10-01-ice"),
        ("sent:2026-11-22", "2026-11-22", "no issue '2026-11-22' was sent. Did you mean '2026-1"),
        ("sent:last-0", "last-0", "for the last five issues write last-5"),
        ("age > old", "old", "'age' is a number, 'old' is not"),
        ("age ~ 1", "~", "'age' is a number; compare it with one of = != < <= > >="),
        ("city < 'B'", "<", "'city' is text; compare it with one of = != ~"),
        ("member = maybe", "maybe", "'member' is true or false, not 'maybe'"),
        ("joined > 2026-02-30", "2026-02-30", "'joined' is a date, '2026-02-30' is not"),
        ("joined > 20260101", "20260101", "'joined' is a date"),
        ("joined > 0001-01-01", "0001-01-01", "'joined' is a date"),
        ("city = ''", "''", "to find readers without 'city' write: not has:city"),
        ("email = gmail.com", "gmail.com", "'gmail.com' is not a valid email address; to"),
        ("domain = gmail", "gmail", "'gmail' is not a valid domain; to match part of one use ~"),
        ("tag = vip", "tag", "'tag' is a test: write tag:vip"),
        ("city:Bergen", "city", "'city' is a field: write city = Bergen"),
        ("tag:vip age = 1", "age", "expected 'and' or 'or' before 'age'"),
        ("name = Ada Lovelace", "Lovelace", "text with a space needs quotes"),
        ("tag:vip && age = 1", "&&", "expected 'and' or 'or' before '&&'"),
        ("tag:vip or or age = 1", "or", "expected a test like tag:vip or city = Bergen, not 'or'"),
        ("e-mail = x", "e-mail", "expected a test like tag:vip or city = Bergen, not 'e-mail'"),
        ("age age", "age", "expected ':' or one of = != < <= > >= ~ after a name, not 'age'"),
        ("city = and age = 1", "and", "a value is missing before 'and'"),
        ("tag:vip)", ")", "no parenthesis is open here"),
        ("city = 'Bergen", "'", "this quote is never closed"),
        ("city = a\0b", "\0", "control characters are not allowed"),
        ("city = \udcff", "\udcff", "control characters are not allowed"),
    ],
)
def test_error_has_carets_under_the_word(text: str, word: str, message: str) -> None:
    (problem,) = error_messages(text)
    first_line, shown, carets = problem.split("\n")
    assert message in first_line
    assert len(shown) == len(text) + 2
    start = carets.index("^") - 2
    assert text[start : start + carets.count("^")] == word


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("city =", "the last value is missing"),
        ("tag:vip and", "the query ends too early"),
        ("(tag:vip ", "a parenthesis is never closed"),
        ("age", "expected ':' or one of = != < <= > >= ~ after a name"),
    ],
)
def test_error_at_the_end_has_a_caret_after_the_text(text: str, message: str) -> None:
    (problem,) = error_messages(text)
    assert message in problem
    assert problem.endswith("\n  " + " " * len(text.rstrip()) + "^")


def test_all_unknown_names_are_reported_at_once() -> None:
    assert len(error_messages("citty = Bergen and (tag:nobody or not aeg > 3)")) == 3


def test_carets_with_wide_characters_and_long_queries() -> None:
    (wide,) = error_messages("name = \u674e\u5c0f\u9f8d and citty = x")
    _, shown, carets = wide.split("\n")
    assert wcswidth(shown[: shown.index("citty")]) == carets.index("^")
    (long,) = error_messages("age = 1 and " * 100 + "citty = x" + " and age = 1" * 50)
    _, shown, carets = long.split("\n")
    assert len(shown) <= 80
    assert shown[carets.index("^") :].startswith("citty")


@pytest.mark.parametrize("text", ["", " \n"])
def test_empty_query_error_has_an_example(text: str) -> None:
    with pytest.raises(SubscriberListError, match=r"the query is empty\. For example: tag:vip"):
        parse(text)


def test_length_and_depth_are_limited() -> None:
    assert "at most 2,000 characters" in error_messages("age = 1 " * MAX_QUERY_LENGTH)[0]
    assert error_messages("not " * 400 + "tag:vip") == [
        "a query may be nested at most 20 levels deep"
    ]
    assert error_messages("(tag:vip and (age = 1 or " * 70 + "age=1" + "))" * 70) == [
        "a query may be nested at most 20 levels deep"
    ]


WORDS = st.sampled_from(
    ["tag", ":", "vip", "and", "or", "not", "(", ")", "city", "=", "!=", "~", "age", ">", "18",
     "joined", "30 days ago", "2026-01-01", '"', "'", "\\", "\n", "opened", "last-5", "\u202e", "%"]
)  # fmt: skip


@given(st.lists(WORDS | st.text(max_size=3), max_size=15), st.sampled_from(["", " "]))
def test_any_text_is_parsed_or_rejected(words: list[str], separator: str) -> None:
    text = separator.join(words)
    try:
        query = parse(text)
    except SubscriberListError:
        return
    assert parse(str(query)) == query
