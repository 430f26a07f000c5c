"""What the public pages say: every language that they speak says all of it."""

import re
from collections import Counter

import pytest
import yaml

from newsletter.project.scaffold import default_templates_dir

WORDS: dict[str, dict[str, str]] = yaml.safe_load(
    (default_templates_dir() / "web" / "words.yml").read_text("utf-8")
)
PLACE = re.compile(r"\{\w*\}")


@pytest.mark.parametrize("language", sorted(WORDS.keys() - {"en"}))
def test_every_language_is_whole_and_has_the_same_places_to_fill(language: str) -> None:
    english, said = WORDS["en"], WORDS[language]
    assert list(said) == list(english)
    assert [key for key, words in said.items() if not words.strip()] == []
    for key, words in said.items():
        assert Counter(PLACE.findall(words)) == Counter(PLACE.findall(english[key])), key
