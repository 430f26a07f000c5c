import datetime
import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from newsletter.config.models import Config
from newsletter.errors import TemplateError
from newsletter.render.template.loader import Templates, load_templates
from newsletter.render.transactional import TransactionalContent, render_transactional
from newsletter.render.words import list_shipped_languages

MakeConfig = Callable[..., Config]

ROOT = Path(__file__).parents[2]
TEMPLATES = load_templates(ROOT / "templates")
URL = "https://news.harbournotes.example/confirm/abc"
CONTENTS = (
    TransactionalContent("confirm", URL, datetime.date(2026, 11, 29)),
    TransactionalContent("move_from", URL, datetime.date(2026, 11, 29), "b…@example.org"),
    TransactionalContent("move_to", URL, datetime.date(2026, 11, 29), "a…@example.org"),
    TransactionalContent("download", URL, datetime.date(2026, 11, 29)),
    TransactionalContent("erase", URL, datetime.date(2026, 11, 29)),
)


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content.kind)
def test_both_parts_have_the_content(
    content: TransactionalContent, make_config: MakeConfig
) -> None:
    config = make_config(postal_address="1 Quay Street, Bergen")
    email = render_transactional(content, TEMPLATES, config)
    assert config.name in email.subject
    for part in (email.html, email.text):
        assert part.count(URL) == 1
        assert "1 Quay Street, Bergen" in part
        assert content.address in part
        assert content.unsubscribe_url in part
    assert email.preheader not in email.text.split("\n\n")[0], "hidden text stays hidden"
    assert ("Auto-Submitted", "auto-generated") in email.headers
    assert email.merge_tags == ()


def test_transactional_emails_are_complete_in_every_language(make_config: MakeConfig) -> None:
    for language in list_shipped_languages():
        for content in CONTENTS:
            email = render_transactional(content, TEMPLATES, make_config(language=language))
            assert email.language == language
            assert not re.search(r"%s|{\w*}", email.subject + email.text)


def test_newsletter_name_is_escaped(make_config: MakeConfig) -> None:
    config = make_config(name='Salt & <b>"Bait"</b> 100 %s')
    email = render_transactional(CONTENTS[0], TEMPLATES, config)
    assert 'Salt & <b>"Bait"</b> 100 %s' in email.subject
    assert "Salt &amp; &lt;b&gt;" in email.html
    assert "<b>" not in email.html


@pytest.mark.parametrize(
    "style",
    ["display:none", "display: none", "color:red; DISPLAY : NONE", "display:none!important"],
)
def test_hidden_text_is_not_in_the_text_part(make_config: MakeConfig, style: str) -> None:
    source = TEMPLATES.files["confirm.mjml"]
    text = f'<p><span style="{style}">hidden</span> shown</p>'
    changed = source.replace("{% block text %}", f"{{% block text %}}{text}", 1)
    assert changed != source
    files = MappingProxyType({**TEMPLATES.files, "confirm.mjml": changed})
    email = render_transactional(CONTENTS[0], Templates("templates", files), make_config())
    assert "hidden" in email.html
    assert "hidden" not in email.text
    assert "shown" in email.text


def test_template_without_a_subject_is_an_error(make_config: MakeConfig) -> None:
    source = "<mjml><mj-head></mj-head><mj-body></mj-body></mjml>"
    files = MappingProxyType({**TEMPLATES.files, "confirm.mjml": source})
    with pytest.raises(TemplateError, match=r"confirm\.mjml: the template sets no subject"):
        render_transactional(CONTENTS[0], Templates("templates", files), make_config())


def test_missing_template_is_an_error(make_config: MakeConfig) -> None:
    files = {name: text for name, text in TEMPLATES.files.items() if name != "move.mjml"}
    with pytest.raises(TemplateError, match=r"no template templates/move\.mjml"):
        render_transactional(
            CONTENTS[1], Templates("templates", MappingProxyType(files)), make_config()
        )
