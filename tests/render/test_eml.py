import datetime
import email
import email.policy

import pytest

from newsletter.render.email import Email, NamedAddress
from newsletter.render.eml import to_eml

DAY = datetime.datetime(2026, 11, 22, 9, tzinfo=datetime.UTC)


def make_message(**changes: object) -> bytes:
    parts: dict[str, object] = {
        "issue": "2026-11-22-x",
        "subject": "The tide",
        "preheader": "",
        "html": "<p>x</p>\n",
        "text": "x\n",
        "sender": NamedAddress("Harbour Notes", "editor@harbournotes.example"),
        "reply_to": None,
        "headers": (("List-Id", "Harbour Notes <harbour-notes.harbournotes.example>"),),
        "merge_tags": (),
        "language": "en",
        "view_online_url": "",
        **changes,
    }
    return to_eml(
        Email(**parts),  # type: ignore[arg-type]
        NamedAddress("Ada", "ada@example.com"),
        date=DAY,
        message_id="<1@harbournotes.example>",
        headers=(("List-Unsubscribe", "<https://p.example/u/t>"),),
    )


def parse(data: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def test_headers_are_parsed_back() -> None:
    parsed = parse(make_message(reply_to=NamedAddress("", "hello@harbournotes.example")))
    assert parsed["From"] == "Harbour Notes <editor@harbournotes.example>"
    assert parsed["To"] == "Ada <ada@example.com>"
    assert parsed["Reply-To"] == "hello@harbournotes.example"
    assert parsed["Date"].datetime == DAY
    assert parsed["Message-ID"] == "<1@harbournotes.example>"
    assert parsed["List-Id"] == "Harbour Notes <harbour-notes.harbournotes.example>"
    assert parsed["List-Unsubscribe"] == "<https://p.example/u/t>"
    assert parsed["Content-Language"] == "en"


def test_plain_text_precedes_html() -> None:
    parsed = parse(make_message())
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]


def test_text_of_every_script_is_kept_in_headers_and_parts() -> None:
    text = "صباح الخير 大潮 “é” 👩‍👩‍👧 " * 5
    data = make_message(subject=text.strip(), text=text, html=f"<p>{text}</p>")
    parsed = parse(data)
    plain, html = parsed.iter_parts()
    assert data.isascii()
    assert parsed["Subject"] == text.strip()
    assert plain.get_content() == text
    assert html.get_content() == f"<p>{text}</p>"


def test_lines_have_at_most_998_bytes() -> None:
    data = make_message(html="<p>" + "x" * 5_000 + "</p>", text="y" * 5_000, subject="z" * 500)
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert b"\n" not in b"".join(lines)
    assert parse(data)["Subject"] == "z" * 500


def test_message_is_deterministic_and_boundary_depends_on_the_body() -> None:
    assert make_message() == make_message()
    assert parse(make_message()).get_boundary() != parse(make_message(text="z")).get_boundary()


@pytest.mark.parametrize("name", ['Ada "the" Vold, editor', "Ингрид", ""])
def test_display_name_may_contain_any_character(name: str) -> None:
    parsed = parse(make_message(sender=NamedAddress(name, "editor@harbournotes.example")))
    assert parsed["From"].addresses[0].display_name == name
    assert parsed["From"].addresses[0].addr_spec == "editor@harbournotes.example"
