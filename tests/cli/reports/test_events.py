"""``newsletter events import``: recorded once and applied, or rejected as a whole."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ready_to_send import Cli

from newsletter.db import database_engine
from newsletter.db.schema import send
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
        (True, "complained"), (True, "complained"), (False, "complained"),
    ]  # fmt: skip
    assert "not in the list" not in newsletter("events", "import", "-", typed=typed)[1]


def test_file_with_an_invalid_line_is_rejected_as_a_whole(
    newsletter: Cli, project_folder: Path
) -> None:
    path = project_folder / "events.jsonl"
    good = {"sg_event_id": "e", "event": "open", "timestamp": 1_796_115_600}
    path.write_text(json.dumps(good) + "\nhello\n")
    code, _, err = newsletter("events", "import", path)
    assert code == 1
    assert "events.jsonl:2: this line is not a SendGrid event" in err
    path.write_text(json.dumps(good))
    assert "1 new event recorded" in newsletter("events", "import", path)[1]


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
