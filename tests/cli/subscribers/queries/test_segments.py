"""``newsletter subscribers count``, ``segments``, ``tag``, ``untag``, ``explain`` and ``diff``."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import batch, send, send_recipient, subscriber

Cli = Callable[..., tuple[int, str, str]]

READERS = """\
email,city,status
ada@example.com,Bergen,active
bo@example.com,Oslo,active
cy@example.com,,pending
"""
SEGMENTS = "segments:\n  north: city = Bergen\n  broken: citty = Bergen\n"
ISSUE = "2026-11-15-ice"


@pytest.fixture
def newsletter(project_folder: Path, cli: Cli) -> Cli:
    """Return the command line in a project with three readers and two segments."""
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(SEGMENTS)
    (project_folder / "readers.csv").write_text(READERS)
    assert cli("subscribers", "import", "readers.csv")[0] == 0
    return cli


@pytest.fixture
def sent(newsletter: Cli, project_folder: Path) -> Cli:
    """Return the command line in a project whose issue was sent to Bo only."""
    at = datetime.datetime.now(datetime.UTC)
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        row = {
            "id": 1, "issue": ISSUE, "state": "done", "content_sha": "", "subject": "",
            "frozen_at": at, "total": 1, "excluded": {}, "segment": "city = Oslo",
        }  # fmt: skip
        connection.execute(sa.insert(send).values(row))
        row = {"id": 1, "send_id": 1, "number": 1, "size": 1, "state": "accepted"}
        connection.execute(sa.insert(batch).values(row))
        bo = connection.execute(
            sa.select(subscriber.c.id).where(subscriber.c.address == "bo@example.com")
        ).scalar_one()
        row = {"send_id": 1, "subscriber_id": bo, "address_key": "bo@example.com", "batch_id": 1}
        connection.execute(
            sa.insert(send_recipient).values(row | {"state": "accepted", "root_id": 1})
        )
    return newsletter


def test_count_prints_counts_and_next_step(newsletter: Cli) -> None:
    code, out, err = newsletter("subscribers", "count", "city = bergen or status:pending")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2 of 3 readers; 1 may be mailed.",
        "Next: newsletter send --dry-run --segment 'city = bergen or status:pending'",
    ]
    assert newsletter("subscribers", "count", "status:bounced")[1] == (
        "0 of 3 readers; 0 may be mailed.\n"
    )
    data = json.loads(newsletter("subscribers", "count", "north", "--json")[1])
    assert data == {
        "segment": "north",
        "query": "city = Bergen",
        "readers": 1,
        "mailable": 1,
        "list": 3,
    }


@pytest.mark.parametrize(
    "args",
    [
        ("count",),
        ("export", "out.csv", "--segment"),
        ("tag", "quiet", "--query"),
        ("untag", "quiet", "--query"),
        ("explain", "ada@example.com", "--segment"),
    ],
)
def test_query_on_untracked_opens_is_refused(
    sent: Cli, project_folder: Path, args: tuple[str, ...]
) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("tracking: {opens: ask}\n")  # too late for what was sent before
    code, out, err = sent("subscribers", *args, "not (opened:last-5 or city = Oslo)")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"newsletter: opens of {ISSUE} are not known",
        "  not (opened:last-5 or city = Oslo)",
        "              ^^^^^^",
        f"Neither a record of tracking.opens nor any opens: {ISSUE}.",
        "For later sends, set tracking: {opens: ask} in newsletter.yml.",
    ]
    assert not (project_folder / "out.csv").exists()


def test_explain_marks_a_term_on_an_issue_that_was_not_sent_to_them(
    sent: Cli, project_folder: Path
) -> None:
    opened = {"event": "open", "email": "bo@example.com", "timestamp": 1_796_115_600,
              "sg_event_id": "e1", "nl_send": "1"}  # fmt: skip
    (project_folder / "events.jsonl").write_text(json.dumps(opened))
    assert sent("events", "import", "events.jsonl")[0] == 0
    assert sent("subscribers", "count", "opened:ice")[1].startswith("1 of 3 readers")
    _, out, _ = sent("subscribers", "explain", "ada@example.com", "--segment", "not opened:ice")
    assert out.splitlines()[0] == "ada@example.com would not get an issue now."
    assert out.splitlines()[-1] == f"  segment  -   not opened:{ISSUE}"
    _, out, _ = sent("subscribers", "explain", "bo@example.com", "--segment", "not opened:ice")
    assert out.splitlines()[-1] == f"  segment  no  not opened:{ISSUE}"


def test_query_error_is_marked_with_carets(newsletter: Cli) -> None:
    code, out, err = newsletter("subscribers", "count", "status:aktyve")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "newsletter: 'aktyve' is not a status. Did you mean 'active'?",
        "  status:aktyve",
        "         ^^^^^^",
    ]


def test_invalid_segment_does_not_hide_the_others(newsletter: Cli) -> None:
    code, out, err = newsletter("subscribers", "segments")
    assert code == 1
    assert out == "north\n  query  city = Bergen\n  finds  1 reader, 1 may be mailed\n"
    assert err.startswith("newsletter: newsletter.yml:11: segments.broken: there is no attribute")
    _, out, _ = newsletter("subscribers", "segments", "--json")
    assert [json.loads(line)["segment"] for line in out.splitlines()] == ["north"]


@pytest.mark.usefixtures("project_folder")
def test_segments_without_settings_prints_an_example(cli: Cli) -> None:
    code, out, _ = cli("subscribers", "segments")
    assert (code, out.splitlines()[0]) == (
        0,
        "There are no segments in newsletter.yml. For example:",
    )


def test_tags_are_added_and_removed(newsletter: Cli, project_folder: Path) -> None:
    assert newsletter("subscribers", "tag", "vip", "--address", "ADA@example.com") == (
        0,
        "'vip' was added to 1 reader.\n",
        "",
    )
    assert newsletter("subscribers", "tag", "vip", "--query", "city = Bergen or city = Oslo") == (
        0,
        "'vip' was added to 1 reader; 1 had it already.\n",
        "",
    )
    assert newsletter("subscribers", "count", "tag:VIP")[1].startswith("2 of 3 readers")
    (project_folder / "some.csv").write_text("email\nada@example.com\nno@example.com\nx@\n")
    code, out, err = newsletter("subscribers", "untag", "vip", "--file", "some.csv")
    assert (code, out) == (1, "'vip' was removed from 1 reader.\n")
    assert err.splitlines()[0] == "    row 3: 'no@example.com' is not in the list"
    assert "row 4: 'x@' is not a valid email address" in err
    data = json.loads(newsletter("subscribers", "untag", "vip", "--query", "north", "--json")[1])
    assert data == {"tag": "vip", "changed": 0, "unchanged": 1, "remarks": []}


def test_reader_chosen_twice_is_counted_once(newsletter: Cli, project_folder: Path) -> None:
    (project_folder / "ada.csv").write_text("email\nADA@example.com\nAda <ada@example.com>\n")
    everybody = "city = Bergen or city = Oslo"
    chosen = ("--query", everybody, "--address", "ada@example.com", "--file", "ada.csv")
    data = json.loads(newsletter("subscribers", "tag", "vip", *chosen, "--json")[1])
    assert data == {"tag": "vip", "changed": 2, "unchanged": 0, "remarks": []}
    newsletter("subscribers", "tag", "VIP", "--address", "ada@example.com")
    chosen = ("--query", "tag:vip", "--address", "ada@example.com", "--file", "ada.csv")
    data = json.loads(newsletter("subscribers", "untag", "vip", *chosen, "--json")[1])
    assert data == {"tag": "vip", "changed": 2, "unchanged": 0, "remarks": []}


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["vip"], 2, "no readers were given. Use --address, --file or --query."),
        (["vip", "--address", "nowhere"], 1, "'nowhere' is not a valid email address"),
        (["vip", "--file", "nowhere.csv"], 2, "'nowhere.csv' does not exist"),
        ([" ", "--query", "north"], 1, "a tag must not be empty"),
    ],
)
def test_invalid_tag_arguments_are_rejected(
    newsletter: Cli, args: list[str], code: int, message: str
) -> None:
    exit_code, _, err = newsletter("subscribers", "tag", *args)
    assert (exit_code, message in " ".join(err.split())) == (code, True)


def test_explain_shows_which_terms_hold(newsletter: Cli) -> None:
    _, out, _ = newsletter(
        "subscribers", "explain", "ada@example.com", "--segment", "city=Oslo and status:active"
    )
    lines = out.splitlines()
    assert lines[0] == "ada@example.com would not get an issue now."
    assert lines[1].startswith("  status   active, since ")
    assert lines[2:] == [
        "  segment  no  city = Oslo and status:active",
        "           no    city = Oslo",
        "           yes   status:active",
    ]
    assert newsletter("subscribers", "explain", "no@example.com")[1] == (
        "no@example.com would not get an issue now.\n"
        "  status  not in the list. Did you mean bo@example.com?\n"
    )


def test_explain_reports_the_result_of_a_send(sent: Cli) -> None:
    _, out, _ = sent("subscribers", "explain", "bo@example.com", "--issue", "ice")
    assert out.startswith(f"bo@example.com got {ISSUE}.\n")
    assert "  copy     sent" in out
    _, out, _ = sent("subscribers", "explain", "ada@example.com", "--issue", ISSUE)
    assert out.startswith(f"ada@example.com did not get {ISSUE}.\n")
    assert "no  city = Oslo" in out
    why = "none: they were suppressed, paused or outside of its segment then"
    assert why in " ".join(out.split())
    data = json.loads(
        sent("subscribers", "explain", "cy@example.com", "--issue", "ice", "--json")[1]
    )
    assert (data["answer"], data["status"], data["then"], data["issue"]) == (
        "no",
        "pending",
        "pending",
        ISSUE,
    )


def test_diff_counts_and_lists_who_joined_and_left(sent: Cli, project_folder: Path) -> None:
    (project_folder / "more.csv").write_text(
        "email,city,status\ndi@example.com,Oslo,active\nbo@example.com,Oslo,unsubscribed\n"
    )
    assert sent("subscribers", "import", "more.csv")[0] == 0
    code, out, err = sent("subscribers", "diff", "ice")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith(f"{ISSUE}, sent to 1 on ")
    assert lines[1:3] == ["  came  1: 1 imported", "  left  1: 1 unsubscribed"]
    assert lines[3].startswith("  + di@example.com  imported ")
    assert lines[4].startswith("  - bo@example.com  unsubscribed ")
    assert lines[4].endswith("(import, import more.csv:3)")
    assert sent("subscribers", "diff", "ice", "--limit", "1")[2] == (
        "and 1 more; all of them with --limit 0\n"
    )
    rows = [
        json.loads(line) for line in sent("subscribers", "diff", "ice", "--json")[1].splitlines()
    ]
    assert [(row["change"], row["address"]) for row in rows] == [
        ("came", "di@example.com"),
        ("left", "bo@example.com"),
    ]


def test_diff_of_unsent_or_unknown_issue_fails(newsletter: Cli, project_folder: Path) -> None:
    (project_folder / "issues" / "2026-12-01-tide").mkdir()
    code, _, err = newsletter("subscribers", "diff", "tide")
    assert (code, err) == (
        1,
        "newsletter: 2026-12-01-tide has not been sent yet. Its audience is the present list.\n",
    )
    assert newsletter("subscribers", "diff", "fog")[0] == 1
