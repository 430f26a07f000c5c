"""``newsletter events import``: recorded once and applied; what is no event is kept."""

import datetime
import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ready_to_send import Cli

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.events.unreadable_item import make_unreadable_item
from newsletter.events.unreadable_store import record_unreadable
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault


def make_event_lines(fake_sendgrid: FakeSendGrid, kind: str, **fields: Any) -> str:
    """Return one event for every accepted email, as the webhook would post them."""
    return "\n".join(
        json.dumps(
            {
                "sg_event_id": f"{kind}-{number}",
                "event": kind,
                "timestamp": int(fake_sendgrid.clock()),
                "email": email.address,
                **email.custom_args,
                **fields,
            }
        )
        for number, email in enumerate(fake_sendgrid.accepted)
    )


def test_imported_events_change_readers_and_resolve_unknown_batches_once(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.lost_response())
    newsletter("send", "--yes", "--concurrency", "1")
    assert "1 batch unknown" in newsletter("status", "ice")[1]
    path = project_folder / "events.jsonl"
    first, *rest = make_event_lines(fake_sendgrid, "processed").splitlines()
    bounce = json.dumps(
        {**json.loads(first), "sg_event_id": "b", "event": "bounce", "type": "bounce"}
    )
    path.write_text("\n".join([first, *rest, bounce]))
    code, out, err = newsletter("events", "import", path)
    assert (code, err) == (0, "")
    assert "26 new events recorded, 0 known before." in out
    assert "1 reader now bounced." in out
    assert "resolved as accepted." in out
    assert newsletter("status", "ice", "--json")[1].count('"unknown": []') == 1
    second_run = newsletter("events", "import", path)[1]
    assert second_run.splitlines() == ["0 new events recorded, 26 known before."]


def test_events_on_standard_input_as_one_json_list(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    newsletter("send", "--yes")
    lines = make_event_lines(fake_sendgrid, "spamreport").splitlines()[:2]
    unlisted = {**json.loads(lines[0]), "sg_event_id": "x", "email": "stranger@example.com"}
    typed = json.dumps([*map(json.loads, lines), unlisted], indent=1)
    code, out, _ = newsletter("events", "import", "-", "--json", typed=typed)
    data = json.loads(out)
    assert (code, data["new"], data["known"], data["paused"], data["settled"]) == (0, 3, 0, [], {})
    assert [(change["listed"], change["after"]) for change in data["changed"]] == [
        (True, "complained"),
        (True, "complained"),
        (False, "complained"),
    ]
    assert "not in the list" not in newsletter("events", "import", "-", typed=typed)[1]


GOOD = json.dumps({"sg_event_id": "e", "event": "open", "timestamp": 1_796_115_600})


def test_lines_that_are_not_events_are_kept_and_the_others_applied(
    newsletter: Cli, project_folder: Path
) -> None:
    path = project_folder / "events.jsonl"
    other = GOOD.replace('"e"', '"f"')
    path.write_text(f"{GOOD}\nhello \x1b[2J\n[7, {other}]\n")
    code, out, err = newsletter("events", "import", path)
    assert (code, out) == (0, "2 new events recorded, 0 known before.\n")
    assert err == ("2 lines aren't events and were kept. See: newsletter events unreadable\n")
    again = json.loads(newsletter("events", "import", path, "--json")[1])
    assert (again["new"], again["known"], again["unreadable"]) == (0, 2, 2)

    code, out, err = newsletter("events", "unreadable")
    first, second, third, fourth = out.splitlines()
    assert first.endswith("events.jsonl:3: it is not a JSON object")
    assert second == "  7"
    assert third.endswith("events.jsonl:2: it is not valid JSON")
    assert fourth == "  hello \\x1b[2J"
    data = json.loads(newsletter("events", "unreadable", "--json")[1])
    assert (code, data["unreadable"], data["dropped"]) == (0, 2, 0)
    assert data["events"][1] | {"received_at": ""} == {
        "id": 1, "received_at": "", "source": "events.jsonl:2", "reason": "it is not valid JSON",
        "length": 10, "complete": True, "text": "hello \x1b[2J",
    }  # fmt: skip


def test_file_whose_name_is_not_utf_8_is_imported(newsletter: Cli, project_folder: Path) -> None:
    path = project_folder / os.fsdecode(b"bl\xe5.jsonl")
    path.write_text(f"{GOOD}\nhello\n")
    assert newsletter("events", "import", path)[0] == 0
    (kept,) = json.loads(newsletter("events", "unreadable", "--json")[1])["events"]
    assert kept["source"] == "bl\\xe5.jsonl:2"


def test_file_without_any_event_is_rejected(newsletter: Cli, project_folder: Path) -> None:
    path = project_folder / "readers.csv"
    path.write_text("email\nada@example.com\n")
    code, out, err = newsletter("events", "import", path)
    assert (code, out) == (1, "")
    assert "readers.csv:1: this line is not a SendGrid event: it is not valid JSON" in err
    assert "nothing was imported from the file" in err
    unreadable = newsletter("events", "unreadable")
    assert unreadable == (0, "Nothing that was received as an event is unreadable.\n", "")


def test_unreadable_events_that_are_understood_later_are_applied(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("send", "--yes")
    complaint = make_event_lines(fake_sendgrid, "spamreport").splitlines()[0]
    # As an earlier version may have kept them.
    texts = [complaint, f"[{GOOD}, 8]", "7", f"[{GOOD}, {'x' * 20_000}]"]
    items = [make_unreadable_item(text.encode(), "") for text in texts]
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        record_unreadable(connection, items, datetime.datetime.now(datetime.UTC))
    code, out, _ = newsletter("events", "unreadable", "--retry")
    assert (code, out.splitlines()) == (
        0,
        [
            "2 understood now, 3 still not.",
            "2 new events recorded, 0 known before.",
            "1 reader now complained.",
        ],
    )
    data = json.loads(newsletter("events", "unreadable", "--json")[1])
    assert [event["text"][:3] for event in data["events"]] == ["8", '[{"', "7"]
    assert [event["complete"] for event in data["events"]] == [True, False, True]
    again = json.loads(newsletter("events", "unreadable", "--retry", "--json")[1])
    assert (again["understood"], again["unreadable"], again["new"]) == (0, 3, 0)


def test_many_unreadable_events_are_listed_in_part(newsletter: Cli, project_folder: Path) -> None:
    path = project_folder / "events.jsonl"
    path.write_text("\n".join([GOOD, *map(str, range(30)), "w" * 20_000]))
    newsletter("events", "import", path)
    _, out, err = newsletter("events", "unreadable")
    assert len(out.splitlines()) == 40
    assert "… (20,000 bytes)" in out
    assert max(map(len, out.splitlines())) < 600
    assert "and 11 more; all of them with --all" in err
    assert len(newsletter("events", "unreadable", "--all")[1].splitlines()) == 62


def test_reader_who_leaves_twice_by_events_without_id_and_time_is_out(
    newsletter: Cli, project_folder: Path
) -> None:
    path = project_folder / "events.jsonl"
    path.write_text(json.dumps({"event": "unsubscribe", "email": "reader1@example.com"}))
    assert "1 reader now unsubscribed" in newsletter("events", "import", path)[1]
    assert "0 new events recorded, 1 known" in newsletter("events", "import", path)[1]
    options = ("--consent", "form", "--resubscribe")
    assert newsletter("subscribers", "add", "reader1@example.com", *options)[0] == 0
    assert "1 reader now unsubscribed" in newsletter("events", "import", path)[1]
    assert "unsubscribed" in newsletter("subscribers", "show", "reader1@example.com")[1]


def test_account_status_change_pauses_the_send(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("plan", "ice")
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(state="running"))
    path = project_folder / "events.jsonl"
    at = int(fake_sendgrid.clock()) + 10
    change = {"sg_event_id": "a", "event": "account_status_change", "timestamp": at}
    path.write_text(json.dumps({**change, "type": "compliance_suspend"}))
    code, out, err = newsletter("events", "import", path)
    assert (code, out) == (0, "1 new event recorded, 0 known before.\n")
    assert "was paused. See why: newsletter status the-ice" in err
    status = newsletter("status", "ice")[1]
    assert "SendGrid has changed the account's status: compliance_suspend" in status
    assert "newsletter resume" in status


@pytest.mark.usefixtures("project_folder")
def test_empty_input_records_nothing(cli: Cli) -> None:
    code, out, _ = cli("events", "import", "-", typed="\n")
    assert (code, out) == (0, "0 new events recorded, 0 known before.\n")


def test_words_of_a_bouncing_server_do_not_break_json(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("send", "--yes")
    words = "550 mail\u00adbox \x9bfull \u202e\U000e0041 naïve"
    event = make_event_lines(fake_sendgrid, "bounce", type="bounce", reason=words).splitlines()[0]
    path = project_folder / "events.jsonl"
    path.write_text(event)
    code, out, _ = newsletter("events", "import", path, "--json")
    assert code == 0
    assert [change["wording"] for change in json.loads(out)["changed"]] == [words]
    code, out, _ = newsletter("subscribers", "show", json.loads(event)["email"], "--json")
    assert code == 0
    assert words in json.dumps(json.loads(out), ensure_ascii=False)


def test_memory_does_not_grow_with_the_file(
    newsletter: Cli, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a part that is recorded, neither the events are kept nor the statements about them."""
    object_counts: list[int] = []

    @contextmanager
    def count_objects(_total: int, _label: str) -> Iterator[Callable[[int], None]]:
        yield lambda _: object_counts.append(len(gc.get_objects()))

    monkeypatch.setattr("newsletter.cli.reports.events.progress_bar", count_objects)
    monkeypatch.setattr("newsletter.sending.feedback.event_intake._CHUNK_SIZE", 20)
    event = {"event": "bounce", "type": "bounce", "timestamp": 1_796_000_000}
    path = project_folder / "events.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({**event, "sg_event_id": f"e{n}", "email": f"reader{n}@harbour.example"})
            for n in range(200)
        )
    )
    gc.disable()
    try:
        code, out, _ = newsletter("events", "import", path)
    finally:
        gc.enable()
    assert (code, len(object_counts)) == (0, 10)
    assert "200 not in the list" in out
    # The first parts fill caches.
    assert object_counts[9] - object_counts[4] < 100


def test_planner_of_postgresql_knows_of_many_new_events(
    newsletter: Cli, project_folder: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.cli.reports.events._MIN_ANALYZED_EVENTS", 3)
    monkeypatch.setenv("NEWSLETTER_DATABASE", postgres_url)
    line = (
        '{"sg_event_id": "e%d", "event": "delivered", "timestamp": 1, "email": "a@example.com"}\n'
    )
    path = project_folder / "events.jsonl"
    rows = "SELECT reltuples FROM pg_class WHERE relname = 'event'"
    # Two are too few. PostgreSQL may have analyzed the table by itself when it was empty.
    for first, count, is_known in ((0, 2, False), (2, 3, True)):
        path.write_text("".join(line % number for number in range(first, first + count)))
        newsletter("events", "import", path)
        with database_engine(postgres_url, project_folder, "") as engine, engine.begin() as opened:
            assert (opened.exec_driver_sql(rows).scalar() == first + count) is is_known
