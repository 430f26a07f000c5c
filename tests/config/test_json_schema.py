import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pydantic
import pytest
import yaml

from newsletter.config.error_messages import get_section_model
from newsletter.config.json_schema import SCHEMA_PATH, build_json_schema
from newsletter.config.models import Config
from newsletter.project import scaffold

ROOT = Path(__file__).parents[2]


def iter_descriptions(
    model: type[pydantic.BaseModel], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    for name, setting in model.model_fields.items():
        yield prefix + name, setting.description or ""
        inner = get_section_model(setting)
        if inner:
            yield from iter_descriptions(inner, f"{prefix}{name}.")


def test_committed_schema_matches_the_models() -> None:
    assert SCHEMA_PATH.read_text() == build_json_schema(), "run: make schema"


def test_settings_reference_page_matches_the_models() -> None:
    script = ROOT / "scripts" / "config_reference.py"
    generated = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    committed = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    assert committed == generated.stdout, "run: make reference"


def test_every_setting_has_a_description() -> None:
    assert [name for name, description in iter_descriptions(Config) if not description] == []


@pytest.mark.parametrize("path", [ROOT / "newsletter.yml", scaffold.STARTER_DIR / "newsletter.yml"])
def test_shipped_settings_files_are_valid_by_the_schema_they_reference(path: Path) -> None:
    text = path.read_text()
    match = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert match
    assert match[1].endswith(SCHEMA_PATH.name)
    # A section whose lines are all commented out is null to YAML, which the schema rejects.
    data = {key: value for key, value in yaml.safe_load(text.replace("@", "")).items() if value}
    data.pop("theme")
    data["sender"]["address"] = "a@b.example"
    jsonschema_rs.validate(json.loads(build_json_schema()), data)


@pytest.mark.parametrize(
    "change",
    [{"naem_": "x"}, {"theme": {"width": 9000}}, {"sendgrid": {"region": "us"}}, {"name": 3}],
)
def test_schema_rejects_what_loading_rejects(change: dict[str, object]) -> None:
    valid = {
        "name": "A",
        "sender": {"name": "A", "address": "a@b.example"},
        "site_url": "https://b.example",
        "theme": {"dark": {"accent": "#ffffff"}},
    }
    validator = jsonschema_rs.validator_for(json.loads(build_json_schema()))
    assert validator.is_valid(valid)
    assert not validator.is_valid({**valid, **change})
