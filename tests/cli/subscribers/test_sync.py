import datetime
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fake_sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as running:
        yield running


@pytest.fixture
def project_with_readers(
    project_folder: Path, cli: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> Path:
    (project_folder / "readers.csv").write_text("email\nada@example.com\nbo@example.com\n")
    cli("subscribers", "import", "readers.csv")
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", fake_sendgrid.url)
    return project_folder


@pytest.mark.usefixtures("project_with_readers")
def test_sync_prints_counts_and_changes(cli: Cli, fake_sendgrid: FakeSendGrid) -> None:
    now = time.time()
    fake_sendgrid.suppressions.add(
        "bounces", "ADA@example.com", now, reason="550 5.1.1 no such user"
    )
    fake_sendgrid.suppressions.add("unsubscribes", "stranger@example.com", now)
    fake_sendgrid.suppressions.add("blocks", "bo@example.com", now, reason="421 try later")
    code, out, err = cli("subscribers", "sync")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "bounces                   1 in all            1 now bounced",
        "invalid addresses         0 in all",
        "global unsubscribes       1 in all            1 not in the list",
        "spam reports              0 in all",
        "blocks                    1 in all            SendGrid retries these",
        "",
        "  ADA@example.com  active → bounced (550 5.1.1 no such user)",
        "",
        "Blocked recently, and still in the list:",
        "  bo@example.com  421 try later",
        "1 reader changed.",
    ]
    since = f"since {datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1):%Y-%m-%d}"
    second_run = cli("subscribers", "sync")[1].splitlines()
    assert second_run[0] == f"bounces                   1 {since}"
    assert second_run[-1] == "Nothing new: the list is up to date."


@pytest.mark.usefixtures("project_with_readers")
def test_sync_as_json_with_dry_run(cli: Cli, fake_sendgrid: FakeSendGrid) -> None:
    fake_sendgrid.suppressions.add("spam_reports", "bo@example.com", time.time())
    code, out, _ = cli("subscribers", "sync", "--json", "--dry-run")
    data = json.loads(out)
    reports = next(entry for entry in data["lists"] if entry["list"] == "spam_reports")
    assert (code, data["dry_run"]) == (0, True)
    assert reports["changed"] == [
        {
            "address": "bo@example.com",
            "listed": True,
            "before": "active",
            "after": "complained",
            "wording": "",
        }
    ]
    assert json.loads(
        cli("subscribers", "list", "--json", "--status", "active", "--search", "bo@")[1]
    )


@pytest.mark.usefixtures("project_with_readers")
def test_since_option_sets_the_start_time(cli: Cli, fake_sendgrid: FakeSendGrid) -> None:
    assert cli("subscribers", "sync", "--since", "2026-01-31")[0] == 0
    assert "start_time=1769817600" in fake_sendgrid.suppressions.requested_paths[0]
    assert cli("subscribers", "sync", "--since", "soon")[0] == 2


@pytest.mark.usefixtures("project_with_readers")
def test_rejected_or_missing_key_is_reported(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.of.another")
    code, _, err = cli("subscribers", "sync")
    assert code == 1
    assert "Check SENDGRID_API_KEY" in err
    assert "SG.of" not in err
    monkeypatch.delenv("SENDGRID_API_KEY")
    assert "SENDGRID_API_KEY is not set" in cli("subscribers", "sync")[2]


def test_unsubscribe_group_of_the_settings_is_synced(
    cli: Cli, project_with_readers: Path, fake_sendgrid: FakeSendGrid
) -> None:
    with (project_with_readers / "newsletter.yml").open("a") as settings:
        settings.write("sendgrid:\n  asm_group: 7\n")
    fake_sendgrid.suppressions.groups[7] = ["ada@example.com"]
    out = cli("subscribers", "sync")[1]
    assert "group unsubscribes        1 in all            1 now unsubscribed" in out


@pytest.mark.usefixtures("project_with_readers")
def test_long_rate_limit_wait_is_reported(
    cli: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    fake_sendgrid.inject_faults(faults.rate_limit_response(time.time() + 90))
    code, _, err = cli("subscribers", "sync")
    assert code == 0
    assert 85 < waits[0] <= 90
    assert err.startswith("SendGrid is busy: retrying in ")
