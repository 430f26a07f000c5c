import datetime
import email
import email.policy

import pytest

from newsletter.render.email import Email, NamedAddress
from newsletter.render.eml import to_eml

DAY = datetime.datetime(2026, 11, 22, 9, tzinfo=datetime.UTC)


def message(**changes: object) -> bytes:
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


def read(data: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def test_headers_are_as_a_reader_gets_them() -> None:
    mail = read(message(reply_to=NamedAddress("", "hello@harbournotes.example")))
    assert mail["From"] == "Harbour Notes <editor@harbournotes.example>"
    assert mail["To"] == "Ada <ada@example.com>"
    assert mail["Reply-To"] == "hello@harbournotes.example"
    assert mail["Date"].datetime == DAY
    assert mail["Message-ID"] == "<1@harbournotes.example>"
    assert mail["List-Id"] == "Harbour Notes <harbour-notes.harbournotes.example>"
    assert mail["List-Unsubscribe"] == "<https://p.example/u/t>"
    assert mail["Content-Language"] == "en"


def test_plain_text_comes_first_so_that_html_is_preferred() -> None:
    mail = read(message())
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_words_of_every_script_survive_in_headers_and_parts() -> None:
    words = "صباح الخير 大潮 “é” 👩‍👩‍👧 " * 5
    data = message(subject=words.strip(), text=words, html=f"<p>{words}</p>")
    mail = read(data)
    plain, html = mail.iter_parts()
    assert data.isascii()
    assert mail["Subject"] == words.strip()
    assert plain.get_content() == words
    assert html.get_content() == f"<p>{words}</p>"


def test_no_line_is_longer_than_the_wire_allows() -> None:
    data = message(html="<p>" + "x" * 5_000 + "</p>", text="y" * 5_000, subject="z" * 500)
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert b"\n" not in b"".join(lines)
    assert read(data)["Subject"] == "z" * 500


def test_the_same_arguments_give_the_same_bytes_and_another_body_another_boundary() -> None:
    assert message() == message()
    assert read(message()).get_boundary() != read(message(text="z")).get_boundary()


@pytest.mark.parametrize("name", ['Ada "the" Vold, editor', "Ингрид", ""])
def test_any_name_may_stand_before_an_address(name: str) -> None:
    mail = read(message(sender=NamedAddress(name, "editor@harbournotes.example")))
    assert mail["From"].addresses[0].display_name == name
    assert mail["From"].addresses[0].addr_spec == "editor@harbournotes.example"
