import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import PostError
from newsletter.posts.text_encoding import decode_text

NORWEGIAN = "Kjære leser, båten gikk på grunn i går."


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_decides(mark: bytes, encoding: str) -> None:
    assert decode_text(mark + NORWEGIAN.encode(encoding), "post.md") == NORWEGIAN


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ("<meta charset=koi8-r>", "koi8-r"),
        ("<meta http-equiv='Content-Type' content='text/html; charset=Shift_JIS'>", "shift_jis"),
        ('<?xml version="1.0" encoding="iso-8859-5"?>', "iso-8859-5"),
        ('<meta charset="iso-2022-jp">', "iso-2022-jp"),
    ],
)
def test_a_page_says_its_encoding(declaration: str, encoding: str) -> None:
    words = "港の船" if "jp" in encoding or "jis" in encoding else "Лодки в гавани"
    page = f"{declaration}<p>{words}</p>"
    assert decode_text(page.encode(encoding), "post.html") == page


def test_latin_1_means_windows_1252_as_browsers_have_it() -> None:
    page = '<meta charset="iso-8859-1"><p>The harbour’s “first” boat…</p>'  # noqa: RUF001
    assert decode_text(page.encode("cp1252"), "post.html") == page


def test_a_page_saved_anew_as_utf_8_with_its_old_declaration() -> None:
    page = f'<meta charset="iso-8859-1"><p>{NORWEGIAN}</p>'
    assert decode_text(page.encode(), "post.html") == page


def test_an_unknown_or_wrong_declaration_is_passed_over() -> None:
    for charset in ("no-such", "utf-16", "rot13", "hex", "idna"):
        page = f'<meta charset="{charset}"><p>{NORWEGIAN}</p>'
        assert decode_text(page.encode(), "post.html") == page


@pytest.mark.parametrize("text", [NORWEGIAN, "café", "Die Fähre fährt über den großen Fluß."])
def test_western_text_without_a_declaration(text: str) -> None:
    assert decode_text(text.encode("cp1252"), "post.md") == text


def test_a_long_text_in_another_script_is_recognised() -> None:
    text = "Сегодня утром в порт пришла первая лодка, и все были очень рады ей. " * 4
    assert decode_text(text.encode("koi8-r"), "post.md") == text


def test_what_cannot_be_told_is_refused_rather_than_guessed() -> None:
    with pytest.raises(PostError, match=r"^post.md:2: the text is not UTF-8.*Save it as UTF-8"):
        decode_text(b"title\n" + "Привет, мир".encode("koi8-r"), "post.md")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\x03\x04rest", "word processor"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\r\n", "image"),
        (b"text\0text", "binary"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8", "UTF-16"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(PostError, match=rf"^post.md: .*{kind}"):
        decode_text(data, "post.md")


def test_line_ends_are_one_kind_and_control_characters_go() -> None:
    assert decode_text(b"a\r\nb\rc\x0b\x1b[31m\td\n", "post.md") == "a\nb\nc[31m\td\n"


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text = decode_text(data, "post.md")
    except PostError as error:
        assert error.problems[0].where is not None  # noqa: PT017
    else:
        assert "\0" not in text
        assert "\r" not in text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff<")))
def test_utf_8_comes_back_as_it_was(text: str) -> None:
    magic = ("PK", "%PDF", "GIF8", "{\\rtf")
    assert text.startswith(magic) or decode_text(text.encode(), "post.md") == text
