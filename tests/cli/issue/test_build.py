import email
import email.policy
import errno
import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.build import Article, build_article

Cli = Callable[..., tuple[int, str, str]]

IMPORTS = """
import sys
from newsletter.cli.main import run_cli
assert run_cli(["build"]) == 0
print(*sys.modules, file=sys.stderr)
"""

GIF = b"GIF89a\x09\0\x09\0\0\0\0;"
POST = """---
title: The first boat
subject: "{{ subscriber.name }}, the first boat"
date: 2026-11-22
---
Hello {{ subscriber.name }}, [the log](https://harbournotes.example/log) says more.
"""


@pytest.fixture
def folder(project_folder: Path) -> Path:
    """Return a project with one issue."""
    write_issue(project_folder, "2026-11-22-the-first-boat", POST)
    return project_folder


def write_issue(folder: Path, name: str, text: str) -> None:
    (folder / "issues" / name).mkdir()
    (folder / "issues" / name / "post.md").write_text(text, encoding="utf-8")


def test_build_writes_html_text_and_eml_for_a_sample_recipient(folder: Path, cli: Cli) -> None:
    code, out, err = cli("build")

    built = folder / "build" / "2026-11-22-the-first-boat"
    assert (code, err) == (0, "")
    assert sorted(path.name for path in built.iterdir()) == ["email.eml", "email.html", "email.txt"]
    message = email.message_from_bytes(
        (built / "email.eml").read_bytes(), policy=email.policy.default
    )
    plain, html = message.iter_parts()
    assert message["Subject"] == "friend, the first boat"
    assert plain.get_content().replace("\r\n", "\n") == (built / "email.txt").read_text("utf-8")
    assert html.get_content().replace("\r\n", "\n").strip() == (built / "email.html").read_text(
        "utf-8"
    )
    assert "Hello friend, the log" in (built / "email.txt").read_text("utf-8")
    for part in (out, plain.get_content(), html.get_content()):
        assert not MERGE_TOKEN_PATTERN.search(part)
    assert "List-Unsubscribe" not in message  # there is no public_url


def test_build_prints_summary_and_next_step(folder: Path, cli: Cli) -> None:
    write_issue(folder, "2026-11-01-older", POST)
    _, out, _ = cli("build")
    assert out.startswith("build/2026-11-22-the-first-boat/email.html\n")
    assert re.search(r"^  subject +friend, the first boat$", out, re.MULTILINE)
    assert re.search(r"^  size +\d+ KB of the 102 KB that Gmail shows$", out, re.MULTILINE)
    assert re.search(r"^  holds +\d+ links, 0 images$", out, re.MULTILINE)
    assert out.endswith("Next: newsletter check the-first-boat\n")
    assert all(len(line) <= 80 for line in out.splitlines())


def test_build_finds_issue_by_part_of_its_name(folder: Path, cli: Cli) -> None:
    write_issue(folder, "2026-11-01-older", POST)
    _, out, _ = cli("build", "older")
    assert out.startswith("build/2026-11-01-older/email.html\n")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["build", "check", "send --dry-run"])
def test_the_article_is_built_once(cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    built: list[Article] = []
    original = build_article  # this module's own name is replaced too

    def count(*args: Any) -> Article:
        built.append(original(*args))
        return built[-1]

    for module in list(sys.modules.values()):
        if getattr(module, "build_article", None) is original:
            monkeypatch.setattr(module, "build_article", count)
    cli(*command.split())
    assert len(built) == 1


def test_building_twice_gives_the_same_bytes(folder: Path, cli: Cli) -> None:
    built = folder / "build" / "2026-11-22-the-first-boat"
    cli("build")
    first = {path.name: path.read_bytes() for path in built.iterdir()}
    cli("build")
    assert {path.name: path.read_bytes() for path in built.iterdir()} == first


def test_build_as_json(folder: Path, cli: Cli) -> None:
    code, out, _ = cli("build", "--json")
    data = json.loads(out)
    built = folder / "build" / "2026-11-22-the-first-boat"
    assert code == 0
    assert data["issue"] == "2026-11-22-the-first-boat"
    assert data["bytes"] == (built / "email.html").stat().st_size
    assert data["limit"] == 102 * 1024
    assert data["files"] == {kind: str(built / f"email.{kind}") for kind in ("html", "txt", "eml")}


@pytest.mark.parametrize(
    ("paragraphs", "remark"),
    [(10, ""), (215, "hint     nearly-clipped"), (400, "warning  clipped")],
)
def test_email_near_or_over_gmails_size_limit_is_reported(
    folder: Path, cli: Cli, paragraphs: int, remark: str
) -> None:
    text = "\n\n".join([f"{'A long day at sea. ' * 18}"] * paragraphs)
    write_issue(folder, "2026-11-23-long", f"---\ntitle: Long\n---\n{text}\n")
    _, out, _ = cli("build", "long")
    assert ("clipped" in out) == bool(remark)
    assert remark in out


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (("title:", "draft: true\ntitle:"), "this is a draft"),
        (("title:", "preheader: x\ntitle:"), ""),
        (("", ""), ""),
    ],
)
def test_notes_report_a_draft(folder: Path, cli: Cli, change: tuple[str, str], note: str) -> None:
    write_issue(folder, "2026-11-24-noted", POST.replace(*change, 1))
    notes = json.loads(cli("build", "noted", "--json")[1])["notes"]
    assert any(text.startswith(note) for text in notes) if note else notes == []


def test_what_the_email_lacks_is_listed_with_its_lines(folder: Path, cli: Cli) -> None:
    swallowed = "\n\n<!-- Never closed.\n\n- Out at four\n- Back at nine\n"
    write_issue(folder, "2026-11-24-swallowed", POST + swallowed)
    line = POST.count("\n") + 3
    code, out, _ = cli("build", "swallowed")
    assert code == 0
    assert f"3 places: post.md:{line}, :{line + 2}, :{line + 3}" in out
    assert "such as: a paragraph is not in the email: 'Never closed'" in " ".join(out.split())
    lost = json.loads(cli("build", "swallowed", "--json")[1])["lost"]
    assert [entry["line"] for entry in lost] == [line, line + 2, line + 3]
    assert "lost-content" not in cli("build", "first-boat")[1]


@pytest.mark.parametrize("swallowed", ["", "\n\n<!-- Never closed.\n\n![A boat](boat.png)\n"])
def test_findings_are_those_of_check(folder: Path, cli: Cli, swallowed: str) -> None:
    write_issue(folder, "2026-11-24-found", f"{POST}{swallowed}\n![A boat](b.gif)\n")
    (folder / "issues" / "2026-11-24-found" / "b.gif").write_bytes(GIF)
    settings = folder / "newsletter.yml"
    settings.write_text(re.sub(r"(?m)^(postal_address|image_url):.*\n", "", settings.read_text()))
    built = json.loads(cli("build", "found", "--json")[1])["findings"]
    (checked,) = json.loads(cli("check", "found", "--format", "json")[1])["issues"]
    rules = {finding["rule"] for finding in built}
    assert {"no-preheader", "no-postal-address"} <= rules
    assert built == [finding for finding in checked["findings"] if finding["rule"] in rules]


def test_finding_that_the_editor_allows_is_not_printed(folder: Path, cli: Cli) -> None:
    allowed = POST.replace("title:", "allow: {no-preheader: the first line says it}\ntitle:", 1)
    write_issue(folder, "2026-11-24-allowed", allowed)
    assert "no-preheader" in cli("build", "first-boat")[1]
    assert "no-preheader" not in cli("build", "allowed")[1]


def test_missing_postal_address_is_noted(folder: Path, cli: Cli) -> None:
    settings = folder / "newsletter.yml"
    text = settings.read_text()
    settings.write_text(re.sub(r"(?m)^postal_address:.*\n", "", text))
    code, out, _ = cli("build")
    assert code == 0
    assert "warning  no-postal-address  there is no postal_address" in out


def test_missing_view_online_link_is_noted(folder: Path, cli: Cli) -> None:
    with (folder / "newsletter.yml").open("a") as settings:
        settings.write("issue_url: https://harbournotes.example/{slug}\n")
    for file in (folder / "templates").rglob("*.mjml"):
        file.write_text(file.read_text().replace("{{ view_online_url }}", "https://a.example"))
    notes = json.loads(cli("build", "--json")[1])["notes"]
    assert "the template has no link to view_online_url" in notes


def test_template_error_is_reported_with_line_and_nothing_is_written(
    folder: Path, cli: Cli
) -> None:
    page = folder / "templates" / "issue.mjml"
    lines = page.read_text().splitlines()
    index = next(index for index, line in enumerate(lines) if "<mj-spacer" in line)
    lines[index] = lines[index].replace("mj-spacer", "mj-spacr")
    page.write_text("\n".join(lines))

    code, out, err = cli("build")

    assert (code, out) == (1, "")
    assert err == (
        f"newsletter: templates/issue.mjml:{index + 1}: <mj-spacr> is not an MJML component. "
        "Did you mean <mj-spacer>?\n"
    )
    assert not (folder / "build").exists()


def test_failed_write_leaves_the_old_file_intact(
    folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("build")
    built = folder / "build" / "2026-11-22-the-first-boat"
    before = (built / "email.html").read_bytes()
    names = sorted(path.name for path in built.iterdir())

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error", "temporary")

    monkeypatch.setattr(Path, "replace", fail)

    code, _, err = cli("build")

    assert code == 1
    assert "email.html: could not write the file: input/output error" in err
    assert (built / "email.html").read_bytes() == before
    assert sorted(path.name for path in built.iterdir()) == names


def test_open_shows_the_html_in_the_browser(
    folder: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_url = tmp_path / "opened-url"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened_url}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", str(browser))
    # webbrowser caches the browsers of the process: clear the cache, and restore it afterwards.
    monkeypatch.setattr("webbrowser._tryorder", None)
    monkeypatch.setattr("webbrowser._browsers", {})

    cli("build", "--open")

    page = folder / "build" / "2026-11-22-the-first-boat" / "email.html"
    assert opened_url.read_text() == page.as_uri()


def test_build_imports_neither_checks_nor_database_nor_provider(folder: Path) -> None:
    """They would take as long to import as everything else that a build does.

    The rules are imported only where one of them may find something.
    """
    write_issue(
        folder, "2026-11-23-found-correct", POST.replace("title:", "preheader: x\ntitle:", 1)
    )
    run = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=folder, capture_output=True, text=True, check=True
    )
    imported = set(run.stderr.split())
    assert "newsletter.render.issue" in imported
    assert not imported & {"newsletter.checks.rules", "newsletter.db", "sqlalchemy", "sendgrid"}


def test_what_is_left_out_on_purpose_is_printed(folder: Path, cli: Cli) -> None:
    hidden = "<p hidden>Not for readers</p>\n<form>Sign up</form>\n<p hidden>Nor this</p>\n"
    write_issue(folder, "2026-11-23-hidden", f"---\ntitle: Hidden\n---\nFog.\n\n{hidden}")
    out = cli("build", "hidden")[1]
    assert "removed  'Not for readers' and 1 more line (hidden text, lines 6, 8)\n" in out
    assert "removed  'Sign up' (form, line 7)\n" in out
    assert "lost-content" not in out
    removed = json.loads(cli("build", "hidden", "--json")[1])["removed"]
    assert removed[0] == {"line": 6, "text": "Not for readers", "why": "hidden text"}
