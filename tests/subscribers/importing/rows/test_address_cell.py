import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.rows.address_cell import parse_address_cell

AROUND = st.text(" \t\xa0\u200b\ufeff\u00ad\u200e\u202a\u202c'\"<>,;.\u201c\u201d", max_size=4)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ada@example.com", ""),
        ("\u200bada@example.com\u200b", ""),
        ("a\u200bda@exam\u00adple.com", ""),
        ("\ufeff ada@example.com\u00ad\xa0\r\n", ""),
        ("ada\xa0@\xa0example.com", ""),
        ("\u202aada@example.com\u202c\u200e", ""),
        ("'ada@example.com", ""),
        ("''ada@example.com", ""),
        ("'ada@example.com'", ""),
        ('"ada@example.com"', ""),
        ("\u201cada@example.com\u201d", ""),
        ("\u2019ada@example.com", ""),
        ("<ada@example.com>", ""),
        ("Ada <ada@example.com>", "Ada"),
        ('"Lovelace, Ada" <ada@example.com>', "Lovelace, Ada"),
        ("'Ada L' <mailto:ada@example.com>,", "Ada L"),
        ("mailto:ada@example.com", ""),
        ("MailTo:ada@example.com?subject=Hello%20there", ""),
        ("mailto:%61da@example.com", ""),
        ("ada@example.com.", ""),
        ("ada@example.com,", ""),
        ("ada@example.com ; ;", ""),
        ("'<mailto:ada@example.com>';", ""),
    ],
)
def test_plain_meaning_is_one_address(text: str, name: str) -> None:
    cell = parse_address_cell(text)
    assert (cell.parsed.address, cell.name) == ("ada@example.com", name)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("o'brien@example.com", "o'brien@example.com"),
        ("+x@example.com", "+x@example.com"),
        ("{x}@example.com", "{x}@example.com"),
        ("`x@example.com", "`x@example.com"),
    ],
)
def test_valid_address_stays_as_it_is(text: str, address: str) -> None:
    assert parse_address_cell(text).parsed.address == address


@pytest.mark.parametrize(
    "text",
    [
        "", "<>", "''", "mailto:", "Ada <>", "ada@example.com, bo@example.com",
        "ada@example.com; bo@example.com", "ada@example.com bo@example.com",
        "Ada <ada@example.com>, Bo <bo@example.com>", "ada@example.com <bo@example.com>",
        "Ada <ada@example.com> <bo@example.com>", "mailto:ada@example.com,bo@example.com",
        "ada @example.com", "ada eve@example.com", "ada@example.com...", "ada@example.co\u2026",
        "ada@@example.com", "u\u202es@example.com", "a\u200dda@example.com", "ada@example",
        "mailto:ada%0Abcc:x@example.com", "\uff57@example.com", "x" * 2_000 + "@example.com",
    ],
)  # fmt: skip
def test_unclear_cell_is_rejected(text: str) -> None:
    with pytest.raises(SubscriberListError) as caught:
        parse_address_cell(text)
    assert len(caught.value.problems[0].message) < 300


def test_message_quotes_the_cell() -> None:
    with pytest.raises(SubscriberListError, match="'mailto:ada@' is not a valid email address"):
        parse_address_cell("mailto:ada@")


def test_space_around_a_valid_address_has_no_limit() -> None:
    assert parse_address_cell(" " * 2_000 + "ada@example.com").parsed.address == "ada@example.com"


@given(before=AROUND, address=st.emails(), after=AROUND)
@example("'", "'a@example.com", "")
@example("", "a@example.com", ".,")
def test_parsed_address_parses_to_itself(before: str, address: str, after: str) -> None:
    try:
        parsed = parse_address_cell(f"{before}{address}{after}").parsed
    except SubscriberListError:
        return
    assert parse_address_cell(parsed.address) == (parsed, "")
    assert parse_address_cell(f" <{parsed.address}>; ").parsed == parsed


@given(st.text(max_size=60) | st.text("<>'\"@a.mailto: \xa0", max_size=30))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        parsed = parse_address_cell(text).parsed
    except SubscriberListError:
        return
    assert parse_address_cell(parsed.address).parsed == parsed
