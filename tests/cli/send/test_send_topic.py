"""An issue with a topic is not sent to readers who have opted out of it, and says how many."""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import BASIC_SETTINGS, Cli, PrepareProject, flatten

from newsletter.db import database_engine
from newsletter.db.schema import setting
from newsletter.project import open_project
from newsletter.sending.ledger.find_sends import find_send, open_ledger
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.subscribers.topics import set_chosen_topics

SETTINGS = f"""\
{BASIC_SETTINGS}preferences:
  topics:
    weekly: The weekly issue
    events: Invitations
limits:
  batch_size: 1
"""
ISSUE = "2026-12-01-ice"
POST = "---\ntitle: Ice\ntopic: weekly\n---\nIt let go.\n"
READERS = "email,status\n" + "".join(
    f"{name}@example.com,{'unsubscribed' if name == 'cy' else 'active'}\n"
    for name in ("ada", "bo", "cy", "di", "ed")
)
REASON = "opted out of the topic 'weekly'"


@pytest.fixture
def newsletter(prepare_project: PrepareProject) -> Cli:
    """Return the command line in a project with five readers; Bo doesn't want the topic."""
    cli = prepare_project(SETTINGS, ISSUE, POST, READERS)
    choose("bo", ["events"])
    return cli


def choose(name: str, topics: Sequence[str]) -> None:
    """Let a reader choose among both topics."""
    project = open_project()
    now = datetime.datetime.now(datetime.UTC)
    with (
        database_engine(project.config.database, project.root) as engine,
        engine.begin() as connection,
    ):
        offered = list(project.config.preferences.topics)
        set_chosen_topics(connection, f"{name}@example.com", offered, topics, (now, "/p"))


def delivered(fake_sendgrid: FakeSendGrid) -> list[str]:
    return sorted(email.address.partition("@")[0] for email in fake_sendgrid.accepted)


def test_whoever_has_opted_out_is_left_out_and_counted_everywhere(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    left_out = {"unsubscribed": 1, REASON: 1}
    for options in (("--dry-run",), ("--yes",)):
        code, out, err = newsletter("send", "ice", *options)
        assert code == 0, err
        assert f"left out  1 unsubscribed, 1 {REASON}" in out
        assert "topic     weekly" in out
        if options == ("--dry-run",):
            code, out, _ = newsletter("send", "ice", *options, "--json")
            data = json.loads(out)
            assert (data["topic"], data["left_out"], data["readers"]) == ("weekly", left_out, 3)
    assert delivered(fake_sendgrid) == ["ada", "di", "ed"]
    assert f"left out: 1 {REASON}" in newsletter("status", "ice")[1]
    status = json.loads(newsletter("status", "ice", "--json")[1])
    assert (status["topic"], status["left_out"]) == ("weekly", left_out)
    assert status["total"] + sum(left_out.values()) == 5
    assert f"The plan left out: 1 unsubscribed, 1 {REASON}." in newsletter("who", "ice")[2]


def test_explain_names_the_topic(newsletter: Cli) -> None:
    explain = ("subscribers", "explain", "bo@example.com")
    assert "would get an issue now" in newsletter(*explain)[1]
    for send in ((), ("plan", "ice")):
        if send:
            assert newsletter(*send)[0] == 0
        out = newsletter(*explain, "--issue", "ice")[1]
        assert "bo@example.com would not get" in out or "bo@example.com did not get" in out
        assert "topic      weekly" in out
        assert "opted out  weekly, since " in out
    data = json.loads(newsletter(*explain, "--issue", "ice", "--json")[1])
    assert (data["answer"], data["topic"]) == ("no", "weekly")
    assert [entry["topic"] for entry in data["opt_outs"]] == ["weekly"]
    assert "opted out of its topic then" in flatten(out)
    assert "opted out" in newsletter("subscribers", "show", "bo@example.com")[1]


def test_reader_who_opts_out_after_the_plan_is_left_out(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    assert newsletter("plan", "ice")[0] == 0
    choose("di", ["events"])
    choose("bo", ["events", "weekly"])
    choose("ed", ["weekly"])
    code, out, _ = newsletter("send", "ice", "--yes")
    assert code == 0
    assert "1 more were planned and left the list since" in out
    assert delivered(fake_sendgrid) == ["ada", "ed"]
    missed = [
        json.loads(line)
        for line in newsletter("who", "ice", "--missed", "--json")[1].split("\n")
        if line
    ]
    assert [(entry["address"], entry["state"]) for entry in missed] == [
        ("di@example.com", "skipped_late")
    ]
    choose("di", ["events", "weekly"])
    assert "di@example.com" in newsletter("who", "ice", "--missed")[1]
    assert newsletter("resume", "ice")[0] != 0
    assert delivered(fake_sendgrid) == ["ada", "ed"]


def test_catch_up_has_the_topic_of_its_send(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    assert newsletter("send", "ice", "--yes")[0] == 0
    for name in ("fi", "gu"):
        options = ("--resubscribe", "--consent", "by phone")
        assert newsletter("subscribers", "add", f"{name}@example.com", *options)[0] == 0
    choose("gu", [])
    code, out, err = newsletter("send", "ice", "--catch-up", "--yes")
    assert code == 0, err
    assert f"1 unsubscribed, 3 have it already, 2 {REASON}" in out
    assert delivered(fake_sendgrid) == ["ada", "di", "ed", "fi"]
    status = json.loads(newsletter("status", "ice~catch-up-1", "--json")[1])
    assert (status["topic"], status["total"] + sum(status["left_out"].values())) == ("weekly", 7)


@pytest.mark.parametrize(
    ("line", "planned"), [("", "the topic 'weekly'"), ("topic: events\n", "the topic 'weekly'")]
)
def test_changed_topic_needs_a_new_plan(
    newsletter: Cli, project_folder: Path, line: str, planned: str
) -> None:
    assert newsletter("plan", "ice")[0] == 0
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(POST.replace("topic: weekly\n", line))
    code, _, err = newsletter("send", "ice", "--yes")
    assert code == 1
    assert f"{ISSUE} is planned for {planned}. Put 'topic: weekly' back to resume it" in flatten(
        err
    )
    code, out, _ = newsletter("plan", "ice", "--again")
    assert (code, REASON in out) == (0, False)
    project = open_project()
    with database_engine(project.config.database, project.root) as engine:
        assert find_send(open_ledger(engine, project.config), "ice").topic == line[7:].strip()
        with engine.connect() as connection:
            keys = connection.scalars(sa.select(setting.c.key)).all()
    assert sum(key.startswith("topic of send ") for key in keys) == bool(line)


def test_plan_is_resumed_though_its_topic_is_spelled_otherwise_now(
    newsletter: Cli, project_folder: Path, fake_sendgrid: FakeSendGrid
) -> None:
    assert newsletter("plan", "ice")[0] == 0
    for file in (project_folder / "newsletter.yml", project_folder / "issues" / ISSUE / "post.md"):
        file.write_text(file.read_text().replace("weekly", "Weekly"))
    code, _, err = newsletter("send", "ice", "--yes")
    assert code == 0, err
    assert delivered(fake_sendgrid) == ["ada", "di", "ed"]


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("weekyl", "; did you mean 'weekly'?"),
        ("Weekly", "; did you mean 'weekly'?"),
        ("ferries", "; it has weekly, events"),
    ],
)
def test_unknown_topic_is_refused_with_its_line(
    newsletter: Cli, project_folder: Path, topic: str, hint: str
) -> None:
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(POST.replace("topic: weekly\n", f"topic: {topic}\n"))
    code, out, _ = newsletter("check", "ice")
    assert (code, "3  error    unknown-topic" in out) == (1, True)
    allow = "allow: {unknown-topic: we know}\n"  # which allows no send
    post.write_text(POST.replace("topic: weekly\n", f"topic: {topic}\n{allow}"))
    code, _, err = newsletter("send", "ice", "--yes")
    assert code == 1
    assert f"newsletter.yml has no topic '{topic}'{hint}" in flatten(err)
    assert "post.md:3" in err
    assert flatten(err).count("has no topic") == 1


def test_topic_that_nobody_wants_is_refused(newsletter: Cli) -> None:
    for name in ("ada", "di", "ed"):
        choose(name, [])
    code, _, err = newsletter("send", "ice", "--yes")
    assert code == 1
    assert "nobody on the list may be mailed and wants the topic 'weekly'" in flatten(err)
