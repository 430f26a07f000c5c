"""Accept-Language: parsing, and which pages speak the reader's language."""

import re
from pathlib import Path
from typing import Any

import pytest

from newsletter.project import open_project
from newsletter.web.http.reader_language import parse_accept_language
from newsletter.web.page_templates import PageRenderer
from newsletter.web.page_words import PageWords


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("de", ("de",)),
        ("de-CH, en;q=0.8, fr;q=0.9", ("de-CH", "fr", "en")),
        ("en;q=0.5,de;q=0.5", ("en", "de")),
        ("en;q=0, de ; q=0.1", ("de",)),
        ("*, nb;q=0.9", ("*", "nb")),
        ("de;q=2, fr;q=x, <b>, en", ("en",)),
        ("x" * 10_000, ()),
        ("de" + "-x" * 10_000 + ", fr", ("fr",)),  # not one look-up for each of its subtags
        ("zh-Hant-TW-a-b-c-d-e;Q=0.5", ("zh-Hant-TW-a-b-c-d-e",)),
        (",".join(["de;q=0.1"] * 20 + ["fr"]), ("de",) * 20),
    ],
)
def test_header_is_read_by_quality(header: str, expected: tuple[str, ...]) -> None:
    assert parse_accept_language(header) == expected


@pytest.mark.parametrize(
    ("newsletters", "preferred", "expected"),
    [
        ("en", (), "en"),
        ("en", ("de-CH", "en"), "de"),
        ("en", ("eo", "pt-BR"), "pt"),
        ("en", ("sk",), "sk"),  # the project's own
        ("en", ("eo", "*", "de"), "en"),
        ("de-AT", ("de", "en"), "de-AT"),
        ("eo", ("EO", "de"), "eo"),
        ("eo", ("en",), "en"),
    ],
)
def test_page_has_the_first_preferred_language_that_has_words(
    project_folder: Path, newsletters: str, preferred: tuple[str, ...], expected: str
) -> None:
    (project_folder / "templates" / "words" / "sk.yml").write_text("page: {join_title: Odber}\n")
    settings = project_folder / "newsletter.yml"
    settings.write_text(settings.read_text() + f"language: {newsletters}\n")
    assert PageWords(open_project(project_folder)).choose_language(preferred) == expected


def find_language(page: Any) -> tuple[str, str]:
    found = re.search(rb'<html lang="([^"]+)" dir="([^"]+)"', page.data)
    assert found
    return found[1].decode(), found[2].decode()


@pytest.mark.parametrize(
    ("path", "accepted", "expected"),
    [
        ("/subscribe", "he-IL,en;q=0.5", ("he", "rtl")),
        ("/subscribe", "eo", ("en", "ltr")),
        ("/nothing", "fr", ("fr", "ltr")),
        ("/embed", "fr", ("en", "ltr")),  # is pasted into a page of the editor's
        ("/", "fr", ("en", "ltr")),  # is cached for everybody
    ],
)
def test_pages_that_are_not_cached_speak_the_readers_language(
    server: Any, path: str, accepted: str, expected: tuple[str, str]
) -> None:
    page = server.get(path, **{"Accept-Language": accepted})
    assert find_language(page) == expected
    is_own = page.headers.get("Cache-Control") == "no-store"
    assert page.headers.get("Vary") == ("Accept-Language" if is_own else None)
    assert is_own == (path in {"/subscribe", "/nothing"})
    if not is_own:
        assert b"Yes, send me" in page.data, "the words of its form are the newsletter's, too"


def test_consent_of_a_form_on_another_site_is_in_the_newsletters_language(server: Any) -> None:
    wording = server.get("/api/form-token", **{"Accept-Language": "de"}).json()["wording"]
    assert wording.startswith("Yes, send me ")


def test_what_the_editor_wrote_keeps_its_own_direction(project_folder: Path) -> None:
    page = PageRenderer(open_project(project_folder)).render_page("thanks", private=True)
    assert b'<address dir="auto">' in page.body
