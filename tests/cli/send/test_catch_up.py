"""``newsletter send --catch-up``: to readers who joined since, and to nobody else."""

import datetime
import json
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import ISSUE, READERS, Cli, flatten

from newsletter.db import database_engine
from newsletter.db.schema import send, send_recipient, subscriber
from newsletter.project import open_project
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

CATCH_UP = ("send", "ice", "--catch-up", "--yes")
CHILD = "the-ice~catch-up-1"
# Where a test asks for nothing that others don't ask of both databases.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite:///newsletter.db"])


@pytest.fixture
def ready(newsletter: Cli, project_folder: Path, database_url: str) -> Cli:
    """The command line in a project of 25 readers, on both databases."""
    if database_url.startswith("postgresql"):
        with (project_folder / "newsletter.yml").open("a") as settings:
            settings.write(f"database: {database_url}\n")
        assert newsletter("subscribers", "import", "readers.csv")[0] == 0
    return newsletter


@pytest.fixture
def sent(ready: Cli) -> Cli:
    """The same, after the issue was sent to all of them."""
    assert ready("send", "ice", "--yes")[0] == 0
    return ready


def join(newsletter: Cli, *names: str) -> None:
    for name in names:
        options = ("--resubscribe", "--consent", "by phone")
        code, _, err = newsletter("subscribers", "add", f"{name}@example.com", *options)
        assert code == 0, err


def addresses(fake_sendgrid: FakeSendGrid) -> Counter[str]:
    return Counter(email.address.partition("@")[0] for email in fake_sendgrid.accepted)


def execute(*statements: sa.Executable) -> None:
    project = open_project()
    with (
        database_engine(project.config.database, project.root) as engine,
        engine.begin() as connection,
    ):
        for statement in statements:
            connection.execute(statement)


def load_rows(*columns: sa.ColumnElement[object]) -> list[tuple[object, ...]]:
    project = open_project()
    with (
        database_engine(project.config.database, project.root) as engine,
        engine.connect() as connection,
    ):
        return [tuple(row) for row in connection.execute(sa.select(*columns))]


def test_readers_who_joined_since_get_what_was_sent_and_nobody_else(
    sent: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    join(sent, "ada", "bo")
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(post.read_text().replace("Tuesday", "Wednesday"))

    code, out, _ = sent("send", "ice", "--catch-up", "--dry-run")
    assert code == 0
    assert "2 readers joined since" in out
    assert "2 readers in 1 request" in out
    assert "25 have it already" in out
    assert "files, templates or settings have changed since; what was sent" in flatten(out)
    assert "newsletter send the-ice --catch-up" in out
    requests = project_folder / "build" / ISSUE / "dry-run" / "requests.jsonl"
    assert requests.read_text().count("ada@example.com") == 1
    assert "reader1@" not in requests.read_text()
    assert len(fake_sendgrid.accepted) == READERS

    code, out, err = sent("send", "ice", "--catch-up", typed="2\n")
    assert code == 0
    assert "Type 2 to send" in err
    assert "Sent to 2 of 2 readers." in out
    assert addresses(fake_sendgrid).keys() >= {"ada", "bo"}
    assert set(addresses(fake_sendgrid).values()) == {1}
    assert len(fake_sendgrid.accepted) == READERS + 2
    first, *_, last = (json.loads(request.body) for request in fake_sendgrid.requests)
    assert "Tuesday" in str(last["content"])
    assert last["content"] == first["content"]
    assert last["subject"] == first["subject"]

    # Once more: nobody is left; then one who joins after that, with a catch-up of its own.
    code, _, err = sent(*CATCH_UP)
    assert code == 3
    assert f"nobody has joined since {ISSUE} was sent on" in flatten(err)
    assert sent("send", "ice", "--catch-up", "--dry-run")[0] == 3
    join(sent, "cy")
    assert sent(*CATCH_UP)[0] == 0
    assert addresses(fake_sendgrid)["cy"] == 1
    assert len(fake_sendgrid.accepted) == READERS + 3
    status = sent("status", "ice")[1]
    assert f"{CHILD}, to readers who joined later: done, 2 of 2 accepted" in status
    assert "the-ice~catch-up-2" in status
    assert sent("status", "catch-up-2")[1].startswith("the-ice~catch-up-2  done  1 of 1")
    assert "ada@example.com" in sent("who", CHILD)[1]


@on_sqlite
def test_json_tells_of_catch_ups(sent: Cli) -> None:
    join(sent, "ada")
    dry_run = json.loads(sent("send", "ice", "--catch-up", "--dry-run", "--json")[1])
    assert (dry_run["catch_up"], dry_run["readers"]) == (True, 1)
    data = json.loads(sent(*CATCH_UP, "--json")[1])
    assert (data["issue"], data["state"], data["total"]) == (f"{ISSUE}~catch-up-1", "done", 1)
    assert data["left_out"] == {"have it already": READERS}
    status = json.loads(sent("status", "ice", "--json")[1])
    assert status["catch_ups"] == [
        {
            "issue": f"{ISSUE}~catch-up-1",
            "state": "done",
            "phase": "done",
            "total": 1,
            "accepted": 1,
        }
    ]
    report = json.loads(sent("report", "ice", "--json")[1])
    assert report["catch_ups"] == {f"{ISSUE}~catch-up-1": 1}


def test_reader_with_a_new_address_or_who_came_back_has_it_already(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    moved = {"address": "moved@example.com", "address_key": "moved@example.com"}
    execute(sa.update(subscriber).where(subscriber.c.id == 1).values(moved))
    assert sent("subscribers", "remove", "reader2@example.com")[0] == 0
    join(sent, "reader2")  # by their consent
    # The address of a recipient under another id: as after a list was made anew.
    execute(
        sa.update(send_recipient)
        .where(send_recipient.c.subscriber_id == 3)
        .values(subscriber_id=1003)
    )
    code, _, err = sent(*CATCH_UP)
    assert code == 3, err
    join(sent, "ada")
    assert sent(*CATCH_UP)[0] == 0
    assert len(fake_sendgrid.accepted) == READERS + 1


def test_reader_who_was_erased_and_joined_again_is_new(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    for count in (2, 3):
        assert sent("subscribers", "erase", "reader1@example.com", "--yes")[0] == 0
        join(sent, "reader1")
        assert sent(*CATCH_UP)[0] == 0
        assert addresses(fake_sendgrid)["reader1"] == count
    # Twice erased in one issue: the pseudonyms differ, and no address is left.
    assert sent("subscribers", "erase", "reader1@example.com", "--yes")[0] == 0
    keys = [key for (key,) in load_rows(send_recipient.c.address_key)]
    assert len({key for key in keys if str(key).startswith("erased:")}) == 3
    assert "reader1@example.com" not in keys


def test_refused_readers_are_left_to_retry(ready: Cli, fake_sendgrid: FakeSendGrid) -> None:
    refused = faults.error_response(400, "bad", "personalizations.0.to.0.email")
    fake_sendgrid.inject_faults(refused)
    assert ready("send", "ice", "--yes", "--concurrency", "1")[0] == 0
    code, _, err = ready(*CATCH_UP)
    assert code == 3
    assert "SendGrid refused 1. Retry the refused with: newsletter retry the-ice" in flatten(err)
    join(ready, "ada")
    code, out, _ = ready(*CATCH_UP)
    assert code == 0
    assert "24 have it already, 1 refused by SendGrid" in flatten(out)
    assert "retry them with: newsletter retry the-ice" in out
    assert ready("retry", "ice", "--yes")[0] == 0
    assert set(addresses(fake_sendgrid).values()) == {1}
    assert len(fake_sendgrid.accepted) == READERS + 1


def test_reader_refused_in_a_catch_up_is_retried_there(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    join(sent, "ada")
    fake_sendgrid.inject_faults(faults.error_response(400, "bad", "personalizations.0.to.0.email"))
    code, _, err = sent(*CATCH_UP)
    assert (code, f"newsletter retry {CHILD}" in flatten(err), "--again" in err) == (1, True, False)
    code, _, err = sent(*CATCH_UP)
    assert (code, err.rstrip().endswith(f"newsletter retry {CHILD}")) == (3, True)
    assert sent("retry", CHILD, "--yes")[0] == 0
    assert addresses(fake_sendgrid)["ada"] == 1


def test_unknown_readers_count_as_having_it(sent: Cli, fake_sendgrid: FakeSendGrid) -> None:
    join(sent, "ada")
    fake_sendgrid.inject_faults(faults.lost_response())
    assert sent(*CATCH_UP)[0] == 1
    assert sent("status", CHILD)[1].startswith(f"{CHILD}  needs review")
    code, _, err = sent(*CATCH_UP)
    assert (code, "nobody else has joined since" in flatten(err)) == (3, True)
    assert err.rstrip().endswith(f"may or may not have it, see: newsletter status {CHILD}")
    join(sent, "bo")
    assert sent(*CATCH_UP)[0] == 0
    assert sent("resolve", CHILD, "--resend", "--yes")[0] == 0
    assert "\n  1 still to go\n  resume with:" in sent("status", CHILD)[1]
    assert set(addresses(fake_sendgrid).values()) == {1}


def test_stopped_catch_up_is_resumed_by_the_same_command(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    join(sent, *(f"new{number}" for number in range(12)))
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(401))
    assert sent(*CATCH_UP, "--concurrency", "1")[0] == 1
    join(sent, "late")
    code, out, _ = sent(*CATCH_UP)
    assert code == 0
    assert "2 readers in 1 request; resumes the stopped send to 12" in flatten(out)
    assert len(load_rows(send.c.id)) == 2
    assert addresses(fake_sendgrid)["late"] == 0
    assert sent(*CATCH_UP)[0] == 0
    assert addresses(fake_sendgrid)["late"] == 1
    assert set(addresses(fake_sendgrid).values()) == {1}
    assert len(fake_sendgrid.accepted) == READERS + 13


@on_sqlite
def test_batches_of_a_stopped_catch_up_stay_as_planned(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    join(sent, *(f"new{number}" for number in range(12)))
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(401))
    assert sent(*CATCH_UP, "--concurrency", "1", "--batch-size", "5")[0] == 1
    code, _, err = sent(*CATCH_UP, "--batch-size", "7")
    assert (code, "Leave --batch-size out to resume it" in flatten(err)) == (1, True)
    assert "newsletter send the-ice --catch-up" in flatten(err)


def test_plan_that_was_never_begun_is_replaced(sent: Cli, fake_sendgrid: FakeSendGrid) -> None:
    join(sent, "ada")
    assert sent(*CATCH_UP, "--at", "2099-01-01 09:00", "--local")[0] == 0
    code, _, err = sent(*CATCH_UP)
    assert code == 1
    assert f"newsletter reschedule {CHILD}" in flatten(err)
    assert sent("cancel", CHILD)[0] == 0
    join(sent, "bo")
    code, out, _ = sent(*CATCH_UP)
    assert code == 0
    assert "Sent to 2 of 2 readers." in out
    assert len(load_rows(send.c.id)) == 2
    # A crash between the plan and its start.
    join(sent, "cy")
    assert sent(*CATCH_UP, "--at", "2099-01-01 09:00", "--local")[0] == 0
    execute(sa.update(send).where(send.c.state == "frozen").values(scheduled_at=None))
    for command in ("status", "resume"):
        assert "newsletter send the-ice --catch-up" in flatten(
            "".join(map(str, sent(command, "up-2")))
        )
    join(sent, "di")
    assert sent(*CATCH_UP)[0] == 0
    assert set(addresses(fake_sendgrid).values()) == {1}
    assert len(fake_sendgrid.accepted) == READERS + 4


@on_sqlite
def test_catch_up_waits_here_until_its_time(sent: Cli, fake_sendgrid: FakeSendGrid) -> None:
    join(sent, "ada")
    assert sent(*CATCH_UP, "--at", "2099-01-01 09:00", "--local")[0] == 0
    assert sent("reschedule", CHILD, "--now", "--yes")[0] == 0
    assert addresses(fake_sendgrid)["ada"] == 1


def test_recalled_catch_up_is_made_again(sent: Cli, fake_sendgrid: FakeSendGrid) -> None:
    join(sent, "ada")
    assert sent(*CATCH_UP, "--undo-window", "5h")[0] == 0
    assert sent("cancel", CHILD)[0] == 0
    join(sent, "bo")
    assert sent(*CATCH_UP)[0] == 0
    assert len(fake_sendgrid.accepted) == READERS + 3  # one of them was discarded there
    assert "recalled" in sent("status", f"{CHILD}~recalled-1")[1]
    assert sent("status", CHILD)[1].startswith(f"{CHILD}  done  2 of 2 accepted")
    assert sent("reschedule", f"{CHILD}~recalled-1", "--now", "--yes")[0] != 0


def test_reader_whom_a_recalled_send_has_reached_has_it_already(
    sent: Cli, fake_sendgrid: FakeSendGrid, tmp_path: Path
) -> None:
    join(sent, "ada", "bo")
    assert sent(*CATCH_UP, "--undo-window", "5h")[0] == 0
    assert sent("cancel", CHILD)[0] == 0
    assert sent(*CATCH_UP, "--at", "2099-01-01 09:00", "--local")[0] == 0
    assert sent("cancel", CHILD)[0] == 0
    held = next(email for email in fake_sendgrid.accepted if email.address == "ada@example.com")
    delivered = {
        "email": held.address,
        "event": "delivered",
        "timestamp": int(time.time()),
        "sg_event_id": "late",
        "sg_message_id": f"{held.message_id}.recvd",
        **held.custom_args,
    }
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(delivered) + "\n")
    assert sent("events", "import", str(events))[0] == 0
    assert sent(*CATCH_UP)[0] == 3
    join(sent, "cy")
    code, out, _ = sent(*CATCH_UP)
    assert (code, f"left out  {READERS + 2} have it already" in out) == (0, True)
    assert addresses(fake_sendgrid)["ada"] == 1


def test_all_recalled_catch_ups_are_made_again_at_once(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    held = ("--undo-window", "5h")
    join(sent, "ada", "bo")
    assert sent(*CATCH_UP, *held)[0] == 0
    join(sent, "cy")
    assert sent(*CATCH_UP, *held)[0] == 0
    join(sent, "di")
    assert sent(*CATCH_UP, "--at", "2099-01-01 09:00", "--local")[0] == 0
    for number in (1, 2, 3):
        assert sent("cancel", f"the-ice~catch-up-{number}")[0] == 0
    assert sent("subscribers", "remove", "cy@example.com")[0] == 0
    code, out, err = sent(*CATCH_UP)
    assert code == 0, err
    assert f"left out  1 unsubscribed, {READERS} have it already" in out
    assert "earlier   cancelled at SendGrid in time; nobody has it" in out
    assert "Sent to 3 of 3 readers." in out
    assert sent(*CATCH_UP)[0] == 3
    names = {str(name) for (name,) in load_rows(send.c.issue)}
    assert names == {
        ISSUE,
        f"{ISSUE}~catch-up-1",
        f"{ISSUE}~catch-up-1~recalled-1",
        f"{ISSUE}~catch-up-2~recalled-1",
    }
    # The first ones were discarded by SendGrid.
    assert [addresses(fake_sendgrid)[name] for name in ("ada", "bo", "cy", "di")] == [2, 2, 1, 1]


@on_sqlite
def test_recalled_catch_up_is_rescheduled(sent: Cli, fake_sendgrid: FakeSendGrid) -> None:
    join(sent, "ada")
    assert sent(*CATCH_UP, "--undo-window", "5h")[0] == 0
    assert sent("cancel", CHILD)[0] == 0
    code, _, err = sent("reschedule", CHILD, "--now", "--yes")
    assert code == 0, err
    assert addresses(fake_sendgrid)["ada"] == 2  # the first was discarded
    assert sent(*CATCH_UP)[0] == 3


def test_stopped_catch_up_is_resumed_before_a_later_one_goes(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    join(sent, "ada")
    fake_sendgrid.inject_faults(faults.error_response(400, "bad", "personalizations.0.to.0.email"))
    assert sent(*CATCH_UP)[0] == 1
    join(sent, "bo")
    assert sent(*CATCH_UP, "--at", "2099-01-01 09:00", "--local")[0] == 0
    fake_sendgrid.inject_faults(faults.error_response(401))
    assert sent("retry", CHILD, "--yes")[0] == 1
    assert sent(*CATCH_UP)[0] == 0
    assert (addresses(fake_sendgrid)["ada"], addresses(fake_sendgrid)["bo"]) == (1, 0)
    code, _, err = sent(*CATCH_UP)
    assert (code, "newsletter reschedule the-ice~catch-up-2" in flatten(err)) == (1, True)


def test_unfinished_send_is_finished_first(ready: Cli, fake_sendgrid: FakeSendGrid) -> None:
    code, _, err = ready(*CATCH_UP)
    assert (code, "nothing has been sent" in err) == (1, True)
    assert ready("plan", "ice")[0] == 0
    code, _, err = ready(*CATCH_UP)
    assert (code, "has not been sent yet" in flatten(err)) == (1, True)
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(401))
    assert ready("send", "ice", "--yes", "--concurrency", "1")[0] == 1
    join(ready, "ada")
    code, _, err = ready(*CATCH_UP)
    assert (code, "newsletter resume the-ice" in err) == (1, True)
    fake_sendgrid.inject_faults(faults.lost_response())
    assert ready("resume", "ice")[0] == 1
    code, _, err = ready(*CATCH_UP)
    assert (code, "Resolve that first" in err) == (1, True)
    assert ready("resolve", "ice", "--accepted", "--yes")[0] == 0
    assert ready(*CATCH_UP)[0] == 0
    assert set(addresses(fake_sendgrid).values()) == {1}


@on_sqlite
def test_held_and_recalled_sends_are_not_caught_up_on(ready: Cli) -> None:
    assert ready("send", "ice", "--yes", "--undo-window", "5h")[0] == 0
    join(ready, "ada")
    code, _, err = ready(*CATCH_UP)
    assert (code, "SendGrid holds it until then" in flatten(err)) == (1, True)
    assert ready("cancel", "ice")[0] == 0
    code, _, err = ready(*CATCH_UP)
    assert (code, "nobody has it" in flatten(err)) == (1, True)


@on_sqlite
def test_scheduled_and_recalled_catch_ups_are_not_told_of_as_sent(sent: Cli) -> None:
    def tell() -> str:
        return sent("status", "ice")[1] + sent("report", "ice")[1]

    join(sent, "ada")
    assert sent(*CATCH_UP, "--at", "2099-01-01 09:00", "--local")[0] == 0
    waiting = tell()
    assert f"{CHILD}, to readers who joined later: scheduled, 0 of 1 accepted" in waiting
    assert sent("cancel", CHILD)[0] == 0
    assert sent(*CATCH_UP, "--undo-window", "5h")[0] == 0
    held = tell()
    assert f"{CHILD}, to readers who joined later: scheduled, 1 of 1 accepted" in held
    assert sent("cancel", CHILD)[0] == 0
    recalled = tell()
    assert f"{CHILD}, to readers who joined later: recalled, nobody has it" in recalled
    assert "got it" not in waiting + held + recalled
    assert json.loads(sent("report", "ice", "--json")[1])["catch_ups"] == {}


@on_sqlite
def test_readers_of_a_cancelled_catch_up_are_mentioned(
    sent: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    join(sent, *(f"new{number}" for number in range(12)))
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(401))
    assert sent(*CATCH_UP, "--concurrency", "1")[0] == 1
    assert sent("cancel", CHILD)[0] == 0
    code, _, err = sent(*CATCH_UP)
    assert (code, f"nobody else has joined since {ISSUE} was sent on" in flatten(err)) == (3, True)
    assert "Planned before and left out: 2, who had left" in flatten(err)
    code, _, err = sent("reschedule", CHILD, "--now", "--yes")
    assert (code, "newsletter send the-ice --catch-up --at TIME" in flatten(err)) == (1, True)


@on_sqlite
def test_day_of_a_send_that_was_planned_before_is_named(ready: Cli) -> None:
    assert ready("send", "ice", "--yes", "--at", "2099-01-01 09:00", "--local")[0] == 0
    execute(
        sa.update(send).values(
            frozen_at=datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
            scheduled_at=datetime.datetime(2026, 11, 4, tzinfo=datetime.UTC),
        )
    )
    assert ready("send", "--due")[0] == 0
    code, _, err = ready(*CATCH_UP)
    assert (code, f"since {ISSUE} was planned on 1 Nov 2026" in flatten(err)) == (3, True)
    join(ready, "ada")
    settings = Path("newsletter.yml")
    settings.write_text(settings.read_text().replace("1 Quay Street", "2 Quay Street"))
    code, out, _ = ready(*CATCH_UP)
    assert code == 0
    assert f"1 reader joined since 1 Nov 2026, when {ISSUE} was planned for 25" in flatten(out)
    assert "settings have changed since; what was planned on 1 Nov 2026 is sent" in flatten(out)


@on_sqlite
@pytest.mark.parametrize("mark", ["~catch-up-1", "~recalled-2"])
def test_issue_with_the_name_of_a_catch_up_is_refused(
    sent: Cli, project_folder: Path, mark: str
) -> None:
    folder = project_folder / "issues" / f"{ISSUE}{mark}"
    folder.mkdir()
    (folder / "post.md").write_text("---\ntitle: Other\n---\nOf boats, nets and gulls.\n")
    for command in (("send", "--yes"), ("plan",)):
        code, _, err = sent(command[0], folder.name, *command[1:])
        assert (code, f"'{mark}' at the end of a name" in flatten(err)) == (1, True)
    assert len(load_rows(send.c.id)) == 1


def test_segment_is_evaluated_anew(ready: Cli, fake_sendgrid: FakeSendGrid) -> None:
    assert ready("subscribers", "tag", "vip", "--query", "email = reader1@example.com")[0] == 0
    assert ready("send", "ice", "--yes", "--segment", "tag:vip")[0] == 0
    join(ready, "ada", "bo")
    assert ready(*CATCH_UP)[0] == 3
    assert ready("subscribers", "tag", "vip", "--query", "email = bo@example.com")[0] == 0
    code, out, _ = ready(*CATCH_UP)
    assert code == 0
    assert f"{READERS} not in the segment" in out
    assert "1 have it already" in out
    assert addresses(fake_sendgrid) == {"reader1": 1, "bo": 1}


@pytest.mark.parametrize("option", [("--segment", "tag:vip"), ("--due",)])
def test_options_that_make_no_sense_are_refused(newsletter: Cli, option: tuple[str, ...]) -> None:
    code, _, err = newsletter(*CATCH_UP, *option)
    assert (code, option[0] in err) == (2, True)


@on_sqlite
def test_missing_key_blocks_it(sent: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    join(sent, "ada")
    monkeypatch.delenv("SENDGRID_API_KEY")
    code, _, err = sent(*CATCH_UP)
    assert (code, "SENDGRID_API_KEY" in err) == (1, True)
    assert len(load_rows(send.c.id)) == 1


def test_children_count_as_the_issue_elsewhere(sent: Cli) -> None:
    join(sent, "ada")
    assert sent(*CATCH_UP)[0] == 0
    join(sent, "bo")
    assert sent("subscribers", "count", f"sent:{ISSUE}")[1].startswith("26")
    assert sent("subscribers", "count", "sent:last-1")[1].startswith("26")
    code, out, _ = sent("subscribers", "explain", "ada@example.com", "--issue", "ice")
    assert (code, out.partition("\n")[0]) == (0, f"ada@example.com got {ISSUE}.")
    difference = sent("subscribers", "diff", "ice")[1]
    assert "bo@example.com" in difference
    assert "ada@example.com" not in difference
    profile = sent("subscribers", "show", "ada@example.com")[1]
    assert ISSUE in profile
    assert "~catch-up" not in profile
    report = sent("report")[1]
    assert f"newsletter report {CHILD}" in report
    assert sent("report", CHILD)[0] == 0
    # Sent as another issue, it is the one issue that readers have, children included.
    code, _, err = sent("send", "ice", "--yes")
    assert code == 3
    assert "~catch-up" not in err


def test_repeated_article_is_found_in_the_catch_up_too(sent: Cli, project_folder: Path) -> None:
    body = " ".join(f"word{number}" for number in range(200))
    for name in ("2026-12-02-long", "2026-12-03-again"):
        folder = project_folder / "issues" / name
        folder.mkdir()
        (folder / "post.md").write_text(f"---\ntitle: Long\n---\n{body}\n")
    assert sent("send", "long", "--yes", "--segment", "email = reader1@example.com")[0] == 0
    join(sent, "ada")
    execute(sa.update(send).values(segment=""))
    assert sent("send", "long", "--catch-up", "--yes")[0] == 0
    code, _, err = sent("send", "again", "--yes")
    assert code == 1
    assert "2026-12-02-long of" in flatten(err)
    assert "26 of these readers" in flatten(err)
