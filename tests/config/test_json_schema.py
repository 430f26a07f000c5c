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


def settings(model: type[pydantic.BaseModel], above: str = "") -> Iterator[tuple[str, str]]:
    for name, setting in model.model_fields.items():
        yield above + name, setting.description or ""
        inner = get_section_model(setting)
        if inner:
            yield from settings(inner, f"{above}{name}.")


def test_the_committed_schema_is_that_of_the_models() -> None:
    assert SCHEMA_PATH.read_text() == build_json_schema(), "run: make schema"


def test_the_page_of_settings_is_that_of_the_models() -> None:
    script = ROOT / "scripts" / "config_reference.py"
    today = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    committed = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    assert committed == today.stdout, "run: make reference"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, description in settings(Config) if not description] == []


@pytest.mark.parametrize("path", [ROOT / "newsletter.yml", scaffold.STARTER_DIR / "newsletter.yml"])
def test_our_own_files_satisfy_the_schema_that_they_point_to(path: Path) -> None:
    text = path.read_text()
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named
    assert named[1].endswith(SCHEMA_PATH.name)
    # An absent section is written as nothing; editors take that for null.
    data = {key: value for key, value in yaml.safe_load(text.replace("@", "")).items() if value}
    data.pop("theme")
    data["sender"]["address"] = "a@b.example"
    jsonschema_rs.validate(json.loads(build_json_schema()), data)


@pytest.mark.parametrize(
    "change",
    [{"naem_": "x"}, {"theme": {"width": 9000}}, {"sendgrid": {"region": "us"}}, {"name": 3}],
)
def test_the_schema_refuses_what_we_refuse(change: dict[str, object]) -> None:
    valid = {
        "name": "A",
        "sender": {"name": "A", "address": "a@b.example"},
        "site_url": "https://b.example",
        "theme": {"dark": {"accent": "#ffffff"}},
    }
    checker = jsonschema_rs.validator_for(json.loads(build_json_schema()))
    assert checker.is_valid(valid)
    assert not checker.is_valid({**valid, **change})
