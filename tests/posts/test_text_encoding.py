import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import PostError
from newsletter.posts.encoding_labels import find_codec
from newsletter.posts.text_encoding import decode_text

NORWEGIAN = "Kjære leser, båten gikk på grunn i går."


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_byte_order_mark_sets_the_encoding(bom: bytes, encoding: str) -> None:
    assert decode_text(bom + NORWEGIAN.encode(encoding), "post.md") == NORWEGIAN


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
def test_declared_encoding_is_used(declaration: str, encoding: str) -> None:
    text = "港の船" if "jp" in encoding or "jis" in encoding else "Лодки в гавани"
    page = f"{declaration}<p>{text}</p>"
    assert decode_text(page.encode(encoding), "post.html") == page


def test_latin_1_is_decoded_as_windows_1252_as_in_browsers() -> None:
    page = '<meta charset="iso-8859-1"><p>The harbour’s “first” boat…</p>'
    assert decode_text(page.encode("cp1252"), "post.html") == page


def test_utf_8_wins_over_an_outdated_latin_1_declaration() -> None:
    page = f'<meta charset="iso-8859-1"><p>{NORWEGIAN}</p>'
    assert decode_text(page.encode(), "post.html") == page


NOT_AN_ENCODING = (
    "no-such", "rot13", "hex", "idna", "punycode", "base64", "quopri", "uu", "zlib", "bz2",
    "undefined", "mbcs", "unicode_escape", "raw_unicode_escape", "utf-7", "hz", "cp037",
    "x" * 1_000, "..",
)  # fmt: skip


@pytest.mark.parametrize("name", ["utf-16", *NOT_AN_ENCODING])
@pytest.mark.parametrize(
    "declaration", ['<meta charset="{}">', '<?xml version="1.0" encoding="{}"?>', "# coding: {}\n"]
)
def test_unknown_or_wrong_declaration_is_ignored(name: str, declaration: str) -> None:
    page = f"{declaration.format(name)}<p>{NORWEGIAN} \\u00e5 a-9b +AOU-</p>"
    assert decode_text(page.encode(), "post.html") == page
    assert decode_text(page.encode("cp1252"), "post.html") == page


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("windows-1251", "Прилив".encode("cp1251"), "Прилив"),
        ("windows-1251", b"<meta charset=windows-1252>" + "Прилив".encode("cp1251"), "Прилив"),
        ("utf-8", b"<meta charset=windows-1251>" + "Прилив".encode("cp1251"), "Прилив"),
        ("ISO-8859-1", "Прилив".encode(), "Прилив"),
        ("shift_jis", codecs.BOM_UTF8 + "Прилив".encode(), "Прилив"),
        ("none", "Прилив".encode(), "Прилив"),
    ],
)
def test_charset_of_the_server_counts_if_it_can_be_right(
    charset: str, data: bytes, text: str
) -> None:
    assert decode_text(data, "p", charset=charset).endswith(text)


def test_declared_utf_8_may_have_a_letter_that_was_cut() -> None:
    cut = "<meta charset=utf-8>" + NORWEGIAN * 4
    data = cut.encode() + "å".encode()[:1] + b"</p>"
    assert decode_text(data, "p") == f"{cut}\ufffd</p>"
    assert decode_text(cut.encode("cp1252"), "p") == cut


def test_labels_are_those_of_browsers() -> None:
    assert find_codec("Latin1") == find_codec(" iso8859-1\n") == find_codec("ascii") == "cp1252"
    assert find_codec("GB2312") == "gb18030"
    assert [name for name in NOT_AN_ENCODING if find_codec(name)] == []
    for label in ("iso-2022-kr", "latin-1", "utf_8", "u8", ""):
        assert find_codec(label) is None


@pytest.mark.parametrize(
    "text", [NORWEGIAN, "café", "   café ", "Die Fähre fährt über den großen Fluß."]
)
def test_windows_1252_is_detected_without_a_declaration(text: str) -> None:
    assert decode_text(text.encode("cp1252"), "post.md") == text


def test_encoding_of_a_long_text_in_another_script_is_detected() -> None:
    text = "Сегодня утром в порт пришла первая лодка, и все были очень рады ей. " * 4
    assert decode_text(text.encode("koi8-r"), "post.md") == text


def test_uncertain_encoding_is_rejected_not_guessed() -> None:
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
def test_binary_files_are_rejected(data: bytes, kind: str) -> None:
    with pytest.raises(PostError, match=rf"^post.md: .*{kind}"):
        decode_text(data, "post.md")


def test_line_ends_are_normalized_and_control_characters_removed() -> None:
    assert decode_text(b"a\r\nb\rc\x0b\x1b[31m\td\n", "post.md") == "a\nb\nc[31m\td\n"
    assert decode_text("a\ufffeb\uffffc\ufeff".encode(), "post.md") == "abc"


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_rejected(data: bytes) -> None:
    try:
        text = decode_text(data, "post.md")
    except PostError as error:
        assert error.problems[0].where is not None  # noqa: PT017
    else:
        assert "\0" not in text
        assert "\r" not in text


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff<")
    )
)
def test_utf_8_round_trips(text: str) -> None:
    signatures = ("PK", "%PDF", "GIF8", "{\\rtf")
    assert text.startswith(signatures) or decode_text(text.encode(), "post.md") == text
