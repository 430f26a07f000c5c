"""words.yml: every language has all messages and the same placeholders."""

import re
from collections import Counter

import pytest
import yaml

from newsletter.project.scaffold import default_templates_dir

MESSAGES: dict[str, dict[str, str]] = yaml.safe_load(
    (default_templates_dir() / "web" / "words.yml").read_text("utf-8")
)
PLACEHOLDER = re.compile(r"\{\w*\}")


@pytest.mark.parametrize("language", sorted(MESSAGES.keys() - {"en"}))
def test_every_language_has_all_messages_and_their_placeholders(language: str) -> None:
    english, translated = MESSAGES["en"], MESSAGES[language]
    assert list(translated) == list(english)
    assert [key for key, text in translated.items() if not text.strip()] == []
    for key, text in translated.items():
        assert Counter(PLACEHOLDER.findall(text)) == Counter(PLACEHOLDER.findall(english[key])), key
