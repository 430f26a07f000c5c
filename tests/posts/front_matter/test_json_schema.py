"""The JSON Schema of front matter, and the tables of the reference page."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from pydantic import BaseModel

from newsletter.errors import PostError
from newsletter.posts.front_matter.json_schema import (
    FRONT_MATTER_SCHEMA_PATH,
    build_front_matter_schema,
)
from newsletter.posts.front_matter.keys import KNOWN_KEYS
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.front_matter.schema import (
    AuthorField,
    ButtonField,
    CardField,
    FrontMatterFields,
    ImageField,
    validate_front_matter,
)

ROOT = Path(__file__).parents[3]
VALID = [
    "",
    "title: 2026",
    "title: Boats\nsubject:\npreheader:",
    "author: Ada",
    "author: {name: Ada, picture: ada.jpg, url: https://a.example}",
    "date: 2026-11-22",
    "date: 2026-11-22T10:00:00+01:00",
    "tags: [boats, 2026]",
    "tags: boats, spring",
    "hero: boat.jpg",
    "hero: {src: boat.jpg, alt: A boat, caption: At six.}",
    "number: 12\ndraft: true",
    "language: pt-BR\ntemplate: plain\narchive: private",
    "button: {text: Read on, url: https://a.example}",
    "further: [{title: Knots, url: https://a.example, picture: {src: a.png}}]",
    "allow: {no-preheader: it says it all}",
    "extra: {layout: [post]}\nlayout: post",
]
INVALID = [
    "title: [Boats]",
    "author: {bio: No name}",
    "author: {name: Ada, mail: a@b.example}",
    "number: -1",
    "draft: maybe",
    "language: some english",
    "template: Plain.mjml",
    "archive: secret",
    "button: {text: Read on}",
    "hero: {alt: No file}",
    "further: {title: Knots, url: https://a.example}",
]


def load_as_editors_do(block: str) -> object:
    """Read YAML with dates as text, since JSON has no dates."""
    return json.loads(json.dumps(yaml.safe_load(block) or {}, default=str))


def test_committed_schema_matches_the_model() -> None:
    assert FRONT_MATTER_SCHEMA_PATH.read_text() == build_front_matter_schema(), "run: make schema"


def test_tables_of_the_reference_page_match_the_model() -> None:
    script = ROOT / "scripts" / "front_matter_reference.py"
    generated = subprocess.run(
        [sys.executable, script, "--print"], capture_output=True, text=True, check=True
    )
    page = (ROOT / "docs" / "reference" / "issues.md").read_text()
    assert f"<!-- keys -->\n{generated.stdout}<!-- /keys -->\n" in page, "run: make reference"


@pytest.mark.parametrize(
    "model", [FrontMatterFields, AuthorField, ButtonField, CardField, ImageField]
)
def test_every_key_has_a_description(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_every_key_is_known_by_its_name_in_any_spelling() -> None:
    assert FrontMatterFields.model_fields.keys() == KNOWN_KEYS - {"slug"}  # used by import only


@pytest.mark.parametrize("block", VALID)
def test_schema_accepts_what_an_issue_may_have(block: str) -> None:
    validate_front_matter(split_front_matter(f"---\n{block}\n---\n", "post.md"), "post.md")
    jsonschema_rs.validate(json.loads(build_front_matter_schema()), load_as_editors_do(block))


@pytest.mark.parametrize("block", INVALID)
def test_schema_rejects_what_an_issue_may_not_have(block: str) -> None:
    with pytest.raises(PostError):
        validate_front_matter(split_front_matter(f"---\n{block}\n---\n", "post.md"), "post.md")
    validator = jsonschema_rs.validator_for(json.loads(build_front_matter_schema()))
    assert not validator.is_valid(load_as_editors_do(block))
