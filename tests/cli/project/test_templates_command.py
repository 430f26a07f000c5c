"""``newsletter templates``: what is listed, what is written, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config import load_config
from newsletter.render.template.designs import list_design_files
from newsletter.render.template.loader import load_templates

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a new newsletter, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    cli("init", "quay")
    monkeypatch.chdir(tmp_path / "quay")
    return tmp_path / "quay"


def test_list_tells_which_designs_are_changed_missing_or_own(cli: Cli, folder: Path) -> None:
    templates = folder / "templates"
    (templates / "plain.mjml").unlink()
    (templates / "magazine.css").write_text('{% include "article.css" %}\n')
    (templates / "letter.mjml").write_text("{#- Short\n  and calm. #}\n<p>{{ article }}</p>")
    code, out, _ = cli("templates", "list", "--json")
    assert code == 0
    designs = json.loads(out)["designs"]
    assert [(design["name"], design["state"], design["used"]) for design in designs] == [
        ("issue", "built-in", True),
        ("letter", "own", False),
        ("magazine", "edited", False),
        ("plain", "missing", False),
    ]
    assert designs[1]["description"] == "Short and calm."
    _, out, _ = cli("templates", "list")
    assert "  issue     built in, used\n" in out
    assert "  letter    your own\n            Short and calm.\n" in out
    # A part that several designs share is part of each.
    part = templates / "partials" / "footer.mjml"
    part.write_text(part.read_text() + "\n")
    _, out, _ = cli("templates", "list")
    assert "  issue     built in, changed here, used\n" in out


def test_use_writes_one_line_and_knows_when_it_is_done(cli: Cli, folder: Path) -> None:
    settings = folder / "newsletter.yml"
    before = settings.read_text().splitlines()
    assert cli("templates", "use", "magazine")[0] == 0
    after = settings.read_text().splitlines()
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1
    assert load_config(settings, {}).theme.template == "magazine"
    code, _, err = cli("templates", "use", "magazine")
    assert (code, err) == (3, "newsletter: newsletter.yml names magazine already\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("use plainn", "there is no design 'plainn'. Did you mean plain?"),
        ("use confirm", "there is no design 'confirm'."),
        ("new letter --from plainn", "Did you mean plain?"),
        ("new Letter", "'Letter' is not a valid name of a design."),
        ("new ../letter", "is not a valid name"),
        ("new plain", "templates/plain.mjml is taken; nothing was written."),
        ("new confirm", "templates/confirm.mjml is taken"),
        ("new article", "templates/article.css is taken"),
    ],
)
def test_other_names_are_refused(cli: Cli, folder: Path, command: str, message: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    code, _, err = cli("templates", *command.split())
    assert code == 2
    assert message in err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("original", ["issue", "magazine"])
def test_a_new_design_is_a_copy_with_css_of_its_own(cli: Cli, folder: Path, original: str) -> None:
    code, out, _ = cli("templates", "new", "letter", "--from", original)
    assert code == 0
    assert out.startswith("templates/letter.css\ntemplates/letter.mjml\nA copy of")
    templates = load_templates(folder / "templates")
    letter = list_design_files(templates, "letter")
    assert {*letter} - {"letter.mjml", "letter.css"} <= {
        *list_design_files(templates, original),
        "article.css",
    }
    own = templates.files["letter.mjml"]
    assert own.startswith(f"{{#- A copy of {original}: say here what it looks like. -#}}\n{{% set")
    assert own.count("{#-") == templates.files[f"{original}.mjml"].count("{#-")
    code, _, err = cli("templates", "new", "letter")
    assert code == 2
    assert "letter.mjml is taken" in err


def test_a_design_that_is_missing_is_put_back_with_its_parts(cli: Cli, folder: Path) -> None:
    templates = folder / "templates"
    before = {
        name: (templates / name).read_text() for name in ("plain.mjml", "plain.css", "digest.mjml")
    }
    for name in before:
        (templates / name).unlink()
    code, _, err = cli("templates", "use", "plain")
    assert code == 2
    assert "newsletter templates new plain --from plain" in err
    assert cli("templates", "new", "plain", "--from", "plain")[0] == 0
    assert {name: (templates / name).read_text() for name in before} == before
    code, out, _ = cli("templates", "use", "plain", "--json")
    assert (code, json.loads(out)) == (0, {"used": "plain", "before": "issue"})
    code, out, _ = cli("templates", "new", "mine", "--json")
    files = ["templates/mine.css", "templates/mine.mjml"]
    assert (code, json.loads(out)) == (0, {"name": "mine", "from": "plain", "files": files})
