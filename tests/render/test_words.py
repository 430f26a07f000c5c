"""Words of emails and pages: complete in every language, and overridden by a project's own."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from newsletter.errors import TemplateError
from newsletter.render.words import (
    OwnWords,
    find_language,
    list_shipped_languages,
    load_words,
    read_own_words,
)

WORDS = Path(__file__).parents[2] / "templates" / "words"
LANGUAGES = "ar cs da de en es fi fr he it ja nb nl pl pt sv zh zh-Hant".split()
PLACEHOLDER = re.compile(r"\{\w*\}|%s")


def load_file(language: str) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = yaml.safe_load((WORDS / f"{language}.yml").read_text())
    return table


def make_own(**texts: str) -> OwnWords:
    return OwnWords("templates/words", {tag.replace("_", "-"): texts[tag] for tag in texts})


def test_no_language_is_missing() -> None:
    assert list_shipped_languages() == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_all_words_and_their_placeholders(language: str) -> None:
    english, translated = load_file("en"), load_file(language)
    assert list(translated) == list(english) == ["issue", "email", "page", "article"]
    for group, texts in english.items():
        assert list(translated[group]) == list(texts)
        for key, text in texts.items():
            other = translated[group][key]
            assert other.strip() == other != "", key
            assert Counter(PLACEHOLDER.findall(other)) == Counter(PLACEHOLDER.findall(text)), key


@pytest.mark.parametrize(
    ("lang", "leave", "known"),
    [
        ("en", "Unsubscribe", "en"),
        ("de-AT", "Abmelden", "de"),
        ("DE", "Abmelden", "de"),
        ("no", "Meld deg av", "nb"),
        ("nn-NO", "Meld deg av", "nb"),
        ("zh-TW", "取消訂閱", "zh-Hant"),
        ("zh-hant-hk", "取消訂閱", "zh-Hant"),
        ("zh-CN", "退订", "zh"),
        ("eo", "Unsubscribe", None),
        ("", "Unsubscribe", None),
    ],
)
def test_language_is_that_of_the_nearest_tag(lang: str, leave: str, known: str | None) -> None:
    own = make_own()
    assert load_words(own, lang, "issue")["leave"] == leave
    assert find_language(own, lang) == known


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", "Cast off"),
        ("en-GB", "Cast off"),
        ("de", "Abmelden"),
        ("de-AT", "Servus"),
        ("pt-BR", "Sair"),
        ("nn", "Meld deg av"),
        ("zh-TW", "取消訂閱"),  # not those of zh
        ("sk", "Odhlásiť"),
        ("eo", "Cast off"),
    ],
)
def test_own_words_override_the_shipped_ones(lang: str, expected: str) -> None:
    own = make_own(
        en="issue: {leave: Cast off}",
        de_AT="issue: {leave: Servus}",
        pt="issue: {leave: Sair}",
        zh="issue: {leave: 走}",
        sk="issue: {leave: Odhlásiť}",
    )
    words = load_words(own, lang, "issue")
    assert words["leave"] == expected
    assert words.keys() == load_words(make_own(), "en", "issue").keys()
    assert find_language(own, "sk-SK") == "sk"


@pytest.mark.parametrize("text", ["", "# issue:\n#   leave: Cast off\n", "issue:\npage: {}\n"])
def test_words_file_may_say_nothing(text: str) -> None:
    assert load_words(make_own(en=text), "en", "issue")["leave"] == "Unsubscribe"


def test_unquoted_words_are_text() -> None:
    own = make_own(en="issue: {number: 5, leave: no, online: 2026-01-01}")
    words = load_words(own, "en", "issue")
    assert [words[key] for key in ("number", "leave", "online")] == ["5", "no", "2026-01-01"]


@pytest.mark.parametrize("text", ["|\n    Set\n\n    out", '"Set\\n\\r\\u2028out"', "Set\n    out"])
def test_words_are_on_one_line(text: str) -> None:
    own = make_own(en=f"email:\n  welcome_subject: {text}\n")
    assert load_words(own, "en", "email")["welcome_subject"] == "Set out"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("pages:\n  skip: Out\n", 1, "there is no group of words 'pages'. Did you mean 'page'?"),
        ("issue:\n  by: By\n  leaves: Out\n", 3, "there is no word 'leaves' in 'issue'."),
        ("  join_title: Out\n", 1, "'join_title' is not in a group"),
        ("issue:\n  by: By\n  by: Von\n", 3, "'by' is on line 2 already"),
        ("issue: {by: By}\nissue: {leave: Out}\n", 2, "'issue' is on line 1 already"),
        ("issue: Out\n", 1, "'issue' is not a mapping of keys to words"),
        ("issue:\n  leave: [Out]\n", 2, "'leave' is not a text"),
        ("issue:\n  leave:\n", 2, "'leave' is not a text"),
        ("email:\n  welcome: Hi %s\n", 2, "%s is not a placeholder of 'welcome'"),
        ("email:\n  welcome: '{names}'\n", 2, "{names} is not a placeholder of 'welcome'"),
        ("issue:\n  leave: 'Leave {name}'\n", 2, "{name} is not a placeholder of 'leave'"),
        ('issue:\n  leave: "a\\e[31m"\n', 2, "there is a control character in 'leave' (U+001B)"),
        ("? [issue, page]\n: Out\n", 1, "there is no group of words '…'"),
        ("issue:\n  ? {leave: by}\n  : Out\n", 2, "there is no word '…' in 'issue'"),
        ("- issue\n", 1, "not a mapping of groups to words"),
        ("issue:\n  leave: a: b\n", 2, "the words can't be read: "),
        ("issue: &a [*a]\n", 1, "the words can't be read: "),
    ],
)
def test_mistakes_are_reported_with_their_line(text: str, line: int, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        load_words(make_own(sk=text), "sk", "page")
    (problem,) = caught.value.problems
    assert problem.where == ("templates/words/sk.yml", line)
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("deutsch.yml", b"", "the name of a words file is a language code"),
        ("de.yaml", b"", "the name of a words file is a language code"),
        ("de.yml", b"issue:\n  by: gr\xe5\n", "not valid UTF-8"),
    ],
)
def test_files_that_cannot_be_used_are_reported(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "README.md").touch()
    (folder / name).write_bytes(content)
    with pytest.raises(TemplateError) as caught:
        read_own_words(tmp_path)
    (problem,) = caught.value.problems
    assert problem.message == message
    assert problem.where is not None
    assert problem.where.path.endswith(name)
    assert problem.where.line == (2 if content else None)
