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
def vendor() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as running:
        yield running


@pytest.fixture
def listed(
    project_folder: Path, cli: Cli, vendor: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> Path:
    (project_folder / "readers.csv").write_text("email\nada@example.com\nbo@example.com\n")
    cli("subscribers", "import", "readers.csv")
    monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
    monkeypatch.setenv("SENDGRID_HOST", vendor.url)
    return project_folder


@pytest.mark.usefixtures("listed")
def test_sync_says_what_changed(cli: Cli, vendor: FakeSendGrid) -> None:
    now = time.time()
    vendor.suppressions.add("bounces", "ADA@example.com", now, reason="550 5.1.1 no such user")
    vendor.suppressions.add("unsubscribes", "stranger@example.com", now)
    vendor.suppressions.add("blocks", "bo@example.com", now, reason="421 try later")
    code, out, err = cli("subscribers", "sync")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "bounces                   1 in all            1 now bounced",
        "invalid addresses         0 in all",
        "global unsubscribes       1 in all            1 not in the list",
        "spam reports              0 in all",
        "blocks                    1 in all            SendGrid tries these again",
        "",
        "  ADA@example.com  active → bounced (550 5.1.1 no such user)",
        "",
        "Blocked lately, and still in the list:",
        "  bo@example.com  421 try later",
        "1 reader changed.",
    ]
    today = f"since {datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1):%Y-%m-%d}"
    again = cli("subscribers", "sync")[1].splitlines()
    assert again[0] == f"bounces                   1 {today}"
    assert again[-1] == "Nothing new: the list knows it all."


@pytest.mark.usefixtures("listed")
def test_sync_for_scripts(cli: Cli, vendor: FakeSendGrid) -> None:
    vendor.suppressions.add("spam_reports", "bo@example.com", time.time())
    code, out, _ = cli("subscribers", "sync", "--json", "--dry-run")
    data = json.loads(out)
    reports = next(each for each in data["lists"] if each["list"] == "spam_reports")
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


@pytest.mark.usefixtures("listed")
def test_a_day_to_ask_from(cli: Cli, vendor: FakeSendGrid) -> None:
    assert cli("subscribers", "sync", "--since", "2026-01-31")[0] == 0
    assert "start_time=1769817600" in vendor.suppressions.requested_paths[0]
    assert cli("subscribers", "sync", "--since", "soon")[0] == 2


@pytest.mark.usefixtures("listed")
def test_a_key_that_may_not_read(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.of.another")
    code, _, err = cli("subscribers", "sync")
    assert code == 1
    assert "Check SENDGRID_API_KEY" in err
    assert "SG.of" not in err
    monkeypatch.delenv("SENDGRID_API_KEY")
    assert "SENDGRID_API_KEY is not set" in cli("subscribers", "sync")[2]


def test_the_group_of_the_settings(cli: Cli, listed: Path, vendor: FakeSendGrid) -> None:
    with (listed / "newsletter.yml").open("a") as settings:
        settings.write("sendgrid:\n  asm_group: 7\n")
    vendor.suppressions.groups[7] = ["ada@example.com"]
    out = cli("subscribers", "sync")[1]
    assert "group unsubscribes        1 in all            1 now unsubscribed" in out


@pytest.mark.usefixtures("listed")
def test_a_long_wait_is_told(
    cli: Cli, vendor: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    vendor.inject_faults(faults.rate_limit_response(time.time() + 90))
    code, _, err = cli("subscribers", "sync")
    assert code == 0
    assert 85 < waits[0] <= 90
    assert err.startswith("SendGrid is busy: asking again in ")
