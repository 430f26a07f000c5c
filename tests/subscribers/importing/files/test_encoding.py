import io

import pytest

from newsletter.encoding_detection import TextEncoding
from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.importing.files.encoding import detect_list_encoding

LOCATION = Location("readers.csv")
TEXT = "email,name\nzoe@example.com,Zo\u00eb \u00c5se\n"


def detect(data: bytes) -> TextEncoding:
    return detect_list_encoding(io.BytesIO(data), LOCATION)


@pytest.mark.parametrize(
    ("data", "codec", "name"),
    [
        (b"email\na@b.com\n", "utf-8", "UTF-8"),
        (TEXT.encode(), "utf-8", "UTF-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig", "UTF-8"),
        (TEXT.encode("utf-16"), "utf-16", "UTF-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le", "UTF-16"),
        (TEXT.encode("utf-16-be"), "utf-16-be", "UTF-16"),
        (TEXT.encode("utf-32"), "utf-32", "UTF-32"),
    ],
)
def test_certain_encoding_is_not_marked_as_guessed(data: bytes, codec: str, name: str) -> None:
    assert detect(data) == TextEncoding(codec, name)


@pytest.mark.parametrize(
    ("names", "codec"),
    [
        ("Zo\u00eb \u00c5se", "cp1252"),
        ("Ren\u00e9 \u201cQ\u201d \u20ac5", "cp1252"),
        ("\u0418\u0432\u0430\u043d \u041f\u0435\u0442\u0440\u043e\u0432", "cp1251"),
        ("\u5c71\u7530\u592a\u90ce\n\u9234\u6728\u4e00\u90ce", "cp932"),
    ],
)
def test_legacy_encoding_is_marked_as_guessed(names: str, codec: str) -> None:
    encoding = detect(f"email,name\na@b.com,{names}\n".encode(codec))
    assert (encoding.codec, encoding.guessed) == (codec, True)


def test_guess_from_bytes_far_into_the_file() -> None:
    data = b"email,name\n" + b"a@b.com,Ada\n" * 200_000 + TEXT.encode("cp1252")
    assert detect(data).codec == "cp1252"


def test_utf_8_with_one_invalid_row_is_still_utf_8() -> None:
    assert detect(TEXT.encode() * 3 + TEXT.encode("cp1252")) == TextEncoding("utf-8", "UTF-8")


def test_character_split_across_blocks_is_valid() -> None:
    data = b"x" * ((1 << 20) - 1) + "\u00eb".encode() + b"\n"
    assert detect(data) == TextEncoding("utf-8", "UTF-8")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t", "the file is empty"),
        (b"PK\x03\x04 and more", "this is an Excel or ZIP file"),
        (b"\xd0\xcf\x11\xe0 and more", "this is an old Excel file"),
        (b"%PDF-1.7", "this is a PDF"),
        (b"\x1f\x8b\x08", "this is a gzip file"),
        (b"SQLite format 3\0", "this is a database"),
    ],
)
def test_empty_and_binary_files_are_rejected(data: bytes, message: str) -> None:
    with pytest.raises(SubscriberListError, match=message) as caught:
        detect(data)
    assert caught.value.problems[0].remedy
