"""``newsletter rehearse``: the real send path with faults and killed processes."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.db import open_database
from newsletter.project import open_project
from newsletter.sending.rehearsal.fault_plan import FAULT_KINDS
from newsletter.sending.rehearsal.run import RehearsalOptions, run_rehearsal
from newsletter.web.rehearsal_site import serve_rehearsal_site

Cli = Callable[..., tuple[int, str, str]]
ISSUE = "2026-12-01-the-ice"
POST = """---
title: The ice, {{ subscriber.name | default("friend") }}
---
Hello {{ subscriber.name | default("friend") }}, the ice let go.
"""


@pytest.fixture
def folder(project_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with an issue, no list and an invalid key; temporary files go to ``tmp``."""
    issue = project_folder / "issues" / ISSUE
    issue.mkdir()
    (issue / "post.md").write_text(POST)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.a-real-key")
    monkeypatch.setenv("SENDGRID_HOST", "http://127.0.0.1:9")
    return project_folder


def test_rehearsal_with_all_faults_loses_and_duplicates_nothing(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    code, out, err = cli("rehearse", "--readers", "300", "--json")
    result = json.loads(out)
    assert (code, result["gaps"]) == (0, []), err
    assert (result["readers"], result["once"], result["twice"], result["lost"]) == (300, 300, 0, 0)
    assert result["faults"].keys() == FAULT_KINDS.keys()
    assert result["not_met"] == []
    assert result["kills"] == 2
    assert result["batch_size"] < 10
    unknown = result["unknown"]
    assert unknown["by_events"] > 0
    assert unknown["sent_again"] > 0
    assert unknown["by_events"] + unknown["sent_again"] == unknown["batches"]
    scanner = result["scanner"]
    assert (scanner["changed"], scanner["broken"]) == (0, 0)
    assert scanner["links"] > 2 * scanner["readers"] > 0
    assert any("public_url" in problem for problem in result["refused"])
    assert list((tmp_path / "tmp").iterdir()) == []
    assert cli("status", "--json")[1] == "", "the real ledger must not change"
    assert folder.is_dir()


def test_rehearsal_with_the_real_list_changes_nothing(cli: Cli, folder: Path) -> None:
    rows = "".join(f"reader{number}@example.com,Reader {number}\n" for number in range(12))
    (folder / "readers.csv").write_text(f"email,name\n{rows}")
    assert cli("subscribers", "import", "readers.csv")[0] == 0
    assert cli("subscribers", "remove", "reader3@example.com")[0] == 0
    before = cli("subscribers", "list")[1]
    code, out, err = cli("rehearse", "--faults", "none")
    assert code == 0, err
    assert "accepted once   11" in out
    assert re.search(r"unsubscribed +0 by the scanner, which opened \d+ links of 11 readers", out)
    assert "The rehearsal passed" in out
    assert "A real send would be refused" in out
    assert cli("subscribers", "list")[1] == before
    assert cli("status", "--json")[1] == ""


def test_rehearsal_with_empty_list_fails(cli: Cli, folder: Path) -> None:
    code, _, err = cli("rehearse", ISSUE)
    assert code == 1
    assert "nobody on the list" in err
    assert folder.is_dir()


def test_unknown_fault_is_rejected_with_the_known_names(cli: Cli) -> None:
    code, _, err = cli("rehearse", "--faults", "kill,locusts")
    assert code == 2
    assert "unknown fault 'locusts'" in err
    assert "lost-answer" in err


def test_help_lists_every_fault(cli: Cli) -> None:
    _, out, _ = cli("rehearse", "--help")
    assert [name for name in FAULT_KINDS if f"  {name} " not in out] == []


def test_ctrl_c_removes_temporary_files(folder: Path, tmp_path: Path) -> None:
    def interrupt(_accepted_count: int) -> None:
        raise KeyboardInterrupt

    project = open_project(folder)
    engine = open_database(project.config.database, folder)
    with pytest.raises(KeyboardInterrupt):
        run_rehearsal(
            RehearsalOptions(project, ISSUE, engine, 20, (), serve_rehearsal_site), interrupt
        )
    engine.dispose()
    assert list((tmp_path / "tmp").iterdir()) == []
