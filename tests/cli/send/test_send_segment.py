"""``newsletter send --segment``: to the readers of a segment, over real HTTP."""

import json
from pathlib import Path

import pytest
from ready_to_send import BASIC_SETTINGS, Cli, PrepareProject

from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault, error_response

SETTINGS = f"""\
{BASIC_SETTINGS}segments:
  north: city = Bergen
"""
READERS = """\
email,city,status
ada@example.com,Bergen,active
bo@example.com,Oslo,active
cy@example.com,Bergen,unsubscribed
di@example.com,Bergen,active
"""


@pytest.fixture
def newsletter(prepare_project: PrepareProject) -> Cli:
    """Return the command line in a project with one issue and four readers."""
    return prepare_project(SETTINGS, "2026-12-01-ice", "# Ice\n\nIt let go.\n", READERS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ""),
        (("--segment", "city = Bergen", "--yes"), " --segment 'city = Bergen'"),
        (
            ("--samples", "1", "--local", "--at", "2035-12-01 09:00", "--limit-per-hour", "1"),
            " --at '2035-12-01 09:00' --local --limit-per-hour 1",
        ),
    ],
)
def test_dry_run_ends_with_the_command_that_it_tried(
    newsletter: Cli, options: tuple[str, ...], expected: str
) -> None:
    code, out, _ = newsletter("send", "ice", *options, "--dry-run")
    assert code == 0
    assert out.endswith(f"Next: newsletter send ice{expected}\n")


@pytest.mark.parametrize("segment", ["north", "city = bergen and not status:bounced"])
def test_only_readers_of_the_segment_are_sent_to(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, segment: str
) -> None:
    code, out, _ = newsletter("send", "ice", "--segment", segment, typed="2\n")
    assert code == 0
    assert segment in out
    assert "1 unsubscribed, 1 not in the segment" in out
    addresses = sorted(email.address for email in fake_sendgrid.accepted)
    assert addresses == ["ada@example.com", "di@example.com"]
    assert newsletter("subscribers", "count", "sent:ice")[1].startswith("2 of 4 readers")


def test_dry_run_writes_only_the_segment(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    code, out, _ = newsletter("send", "ice", "--dry-run", "--segment", "north", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["readers"] == 2
    assert data["left_out"] == {"unsubscribed": 1, "not in the segment": 1}
    assert fake_sendgrid.requests == []


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("status:bounced", "nobody in the segment 'status:bounced' may be mailed"),
        ("nroth", "there is no segment 'nroth'. Did you mean 'north'?"),
        ("city ~", "the last value is missing"),
    ],
)
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_empty_or_invalid_segment_is_refused(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    segment: str,
    message: str,
    dry_run: tuple[str, ...],
) -> None:
    code, _, err = newsletter("send", "ice", "--yes", "--segment", segment, *dry_run)
    assert code == 1
    assert message in err
    assert fake_sendgrid.requests == []


ICE, TIDE = "2026-12-01-ice", "2026-12-08-tide"
TRACKED = "tracking: {opens: true, clicks: true}\n"
PLAN = ("plan", "tide")
DRY_RUN = ("send", "tide", "--dry-run")
SEND = ("send", "tide", "--yes")
COMMANDS = pytest.mark.parametrize("command", [PLAN, DRY_RUN, SEND])


@pytest.fixture
def with_second_issue(newsletter: Cli, project_folder: Path) -> Cli:
    """Return the command line in the project, with an issue to send after the first."""
    (project_folder / "issues" / TIDE).mkdir()
    (project_folder / "issues" / TIDE / "post.md").write_text("# Tide\n\nIt came in.\n")
    return newsletter


def append_settings(folder: Path, text: str) -> None:
    with (folder / "newsletter.yml").open("a") as settings:
        settings.write(text)


def import_events(cli: Cli, folder: Path, *events: tuple[str, str]) -> None:
    """Import events of the first send: a type and a reader each."""
    lines = [
        json.dumps({"event": type_, "email": f"{name}@example.com", "timestamp": 1_796_115_600,
                    "sg_event_id": f"{type_}-{name}", "nl_send": "1"})
        for type_, name in events
    ]  # fmt: skip
    (folder / "events.jsonl").write_text("\n".join(lines))
    assert cli("events", "import", "events.jsonl")[0] == 0


@COMMANDS
@pytest.mark.parametrize("segment", ["not opened:ice", "tag:x and not clicked:last-3"])
def test_untracked_issue_in_a_segment_is_refused(
    with_second_issue: Cli,
    project_folder: Path,
    fake_sendgrid: FakeSendGrid,
    *,
    command: tuple[str, ...],
    segment: str,
) -> None:
    cli = with_second_issue
    assert cli("subscribers", "tag", "x", "--address", "ada@example.com")[0] == 0
    assert cli("send", "ice", "--yes")[0] == 0
    append_settings(project_folder, TRACKED)
    import_events(cli, project_folder, ("delivered", "ada"))
    sent = len(fake_sendgrid.requests)
    code, out, err = cli(*command, "--segment", segment)
    action = "opens" if "opened" in segment else "clicks"
    term = segment.rpartition(":")[2]
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"newsletter: {'opens of' if action == 'opens' else 'clicks in'} {ICE} are not known",
        f"  {segment}",
        f"  {' ' * segment.index(term)}{'^' * len(term)}",
        f"Sent without tracking.{action}: {ICE}.",
        f"For later sends, set tracking: {{{action}: ask}} in newsletter.yml.",
    ]
    assert max(map(len, err.splitlines())) <= 80
    assert len(fake_sendgrid.requests) == sent
    assert cli("status", "tide")[0] == 1  # nothing was planned


@pytest.mark.parametrize(
    ("segment", "addresses"),
    [
        ("opened:ice", ["ada@example.com"]),
        ("not opened:ice", ["di@example.com"]),
        # Bo was not sent the first issue.
        ("not (opened:ice or city = Bergen)", []),
        ("not (opened:ice and city = Oslo)", ["ada@example.com", "di@example.com"]),
        ("not sent:ice", ["bo@example.com"]),
    ],
)
def test_tracked_issue_in_a_segment_selects_among_its_readers(
    with_second_issue: Cli,
    project_folder: Path,
    fake_sendgrid: FakeSendGrid,
    *,
    segment: str,
    addresses: list[str],
) -> None:
    cli = with_second_issue
    append_settings(project_folder, TRACKED)
    assert cli("send", "ice", "--yes", "--segment", "north")[0] == 0
    _, _, err = cli(*DRY_RUN, "--segment", "not opened:ice")
    assert f"No events received from SendGrid: {ICE}." in err
    import_events(cli, project_folder, ("delivered", "di"), ("open", "ada"))
    before = len(fake_sendgrid.accepted)
    assert cli(*DRY_RUN, "--segment", segment)[0] == (0 if addresses else 1)
    assert cli(*SEND, "--segment", segment)[0] == (0 if addresses else 1)
    assert sorted(email.address for email in fake_sendgrid.accepted[before:]) == addresses


def test_stopped_send_does_not_count_in_its_own_segment(
    with_second_issue: Cli, project_folder: Path, fake_sendgrid: FakeSendGrid
) -> None:
    """Once it has started, it is the last issue itself; what was planned is sent all the same."""
    cli = with_second_issue
    append_settings(project_folder, TRACKED)
    assert cli("send", "ice", "--yes", "--segment", "north")[0] == 0
    import_events(cli, project_folder, ("delivered", "di"))
    settings = project_folder / "newsletter.yml"
    settings.write_text(settings.read_text().replace(TRACKED, "limits: {batch_size: 1}\n"))
    segment = ("--segment", "sent:ice and not opened:last-1")
    fake_sendgrid.inject_faults(InjectedFault(accept=True), error_response(401))
    assert cli(*SEND, *segment, "--concurrency", "1")[0] == 1
    assert cli("subscribers", "count", "sent:tide")[1].startswith("1 of 4 readers")
    code, out, _ = cli(*DRY_RUN, *segment, "--json")
    assert (code, json.loads(out)["segment"]) == (0, segment[1])
    assert cli(*SEND, *segment)[0] == 0
    code, out, err = cli("subscribers", "diff", "tide")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["  came  nobody", "  left  nobody"]
    _, out, _ = cli("subscribers", "explain", "di@example.com", "--issue", TIDE)
    assert "  segment  yes sent:2026-12-01-ice and not opened:last-1" in out.splitlines()
