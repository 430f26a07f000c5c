import datetime
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from newsletter.config.models import Config
from newsletter.errors import TemplateError
from newsletter.render.template.jinja_env import get_template_variable
from newsletter.render.template.loader import Templates, load_templates
from newsletter.render.transactional import TransactionalContent, render_transactional

ConfigOf = Callable[..., Config]

ROOT = Path(__file__).parents[2]
TEMPLATES = load_templates(ROOT / "templates")
URL = "https://news.harbournotes.example/confirm/abc"
LETTERS = (
    TransactionalContent("confirm", URL, datetime.date(2026, 11, 29)),
    TransactionalContent(
        "welcome",
        URL,
        unsubscribe_url="https://n.example/u/t",
        preferences_url="https://n.example/p/t",
    ),
    TransactionalContent("move_from", URL, datetime.date(2026, 11, 29), "b…@example.org"),
    TransactionalContent("move_to", URL, datetime.date(2026, 11, 29), "a…@example.org"),
)
LANGUAGES = ("en", "ar", "de", "es", "fr", "he", "nb", "nl")


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.kind)
def test_a_letter_says_in_both_parts_what_it_is_about(
    letter: TransactionalContent, config_of: ConfigOf
) -> None:
    config = config_of(postal_address="1 Quay Street, Bergen")
    email = render_transactional(letter, TEMPLATES, config)
    assert config.name in email.subject
    for part in (email.html, email.text):
        assert part.count(URL) == 1
        assert "1 Quay Street, Bergen" in part
        assert letter.address in part
        assert letter.unsubscribe_url in part
    assert email.preheader not in email.text.split("\n\n")[0], "hidden text stays hidden"
    assert ("Auto-Submitted", "auto-generated") in email.headers
    assert email.merge_tags == ()


def test_letters_are_whole_in_every_language(config_of: ConfigOf) -> None:
    tables = get_template_variable(TEMPLATES, "partials/letter_words.mjml", "table", {"lang": "en"})
    assert all(table.keys() == tables["en"].keys() for table in tables.values())
    for language in LANGUAGES:
        for letter in LETTERS:
            email = render_transactional(letter, TEMPLATES, config_of(language=language))
            assert email.language == language
            assert "%s" not in email.html + email.subject + email.text


def test_what_an_editor_names_is_text_in_a_letter(config_of: ConfigOf) -> None:
    config = config_of(name='Salt & <b>"Bait"</b> 100 %s')
    email = render_transactional(LETTERS[0], TEMPLATES, config)
    assert 'Salt & <b>"Bait"</b> 100 %s' in email.subject
    assert "Salt &amp; &lt;b&gt;" in email.html
    assert "<b>" not in email.html


def test_a_template_without_a_subject_is_told_with_its_name(config_of: ConfigOf) -> None:
    source = "<mjml><mj-head></mj-head><mj-body></mj-body></mjml>"
    files = MappingProxyType({**TEMPLATES.files, "confirm.mjml": source})
    with pytest.raises(TemplateError, match=r"confirm\.mjml: the letter has no subject"):
        render_transactional(LETTERS[0], Templates("templates", files), config_of())


def test_a_missing_template_is_named(config_of: ConfigOf) -> None:
    files = {name: text for name, text in TEMPLATES.files.items() if name != "move.mjml"}
    with pytest.raises(TemplateError, match=r"no template templates/move\.mjml"):
        render_transactional(
            LETTERS[2], Templates("templates", MappingProxyType(files)), config_of()
        )
