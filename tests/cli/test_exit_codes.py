"""The table of docs/reference/exit-codes.md, checked by running the commands."""

import datetime
import json
import re
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from ready_to_send import ISSUE, Cli

from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

PAGE = Path(__file__).parents[2] / "docs/reference/exit-codes.md"
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (\d) \|$", re.MULTILINE)
WORDS = "Does not contain a valid address."
SEND = "send --yes --concurrency 1"
COPY = "db copy sqlite:///newsletter.db sqlite:///other.db --yes"
PLAN_OUT, APPROVED = "plan --out plan.json", "send --plan plan.json"

# One article under two names.
IMPORT_TWICE = (
    "import boat.md --date 2026-12-02 --slug boat",
    "import boat.md --date 2026-12-03 --slug again",
)


def refuse(count: int) -> InjectedFault:
    """Refuse the first readers of a request, by name."""
    return InjectedFault(
        status=400,
        errors=tuple(
            ApiErrorEntry(WORDS, f"personalizations.{index}.to.0.email") for index in range(count)
        ),
    )


REFUSE_ALL = (refuse(10), refuse(10), refuse(5))
ACCEPT = InjectedFault(accept=True)
BLOCK_SECOND = (ACCEPT, faults.error_response(403, "no more"))
LOSE_SECOND = (ACCEPT, faults.lost_response())
TIME = f"'{datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=9):%Y-%m-%d %H:%M}'"
LOCAL, HOLD = f"{SEND} --at {TIME} --local", f"{SEND} --at {TIME} --hold-at-sendgrid"
# A batch id and three requests are answered, then the cancellation and its lookup are not.
UNCONFIRMED = (*[ACCEPT] * 4, *[faults.error_response(500, "oops")] * 2)


@dataclass(frozen=True)
class Case:
    """Commands to run one after the other; the last is the one that the table is about.

    Attributes:
        commands: what is typed after ``newsletter``.
        faults: of the first requests.
        edit: called before the last command.
        typed: the input of the last command.
    """

    commands: Sequence[str]
    faults: Sequence[InjectedFault] = ()
    edit: Callable[[], object] = lambda: None
    typed: str = ""


def change_issue() -> None:
    path = Path("issues", ISSUE, "post.md")
    path.write_text(path.read_text().replace("Tuesday", "Wednesday"))


def break_issue() -> None:
    path = Path("issues", ISSUE, "post.md")
    path.write_text(path.read_text() + "\n[link](http://localhost/)\n")


def empty_issue() -> None:
    Path("issues", ISSUE, "post.md").write_text("")


def copy_database() -> None:
    copy = shutil.copy("newsletter.db", "copied.db")
    Path(copy).replace("newsletter.db")


def drop_sender() -> None:
    path = Path("newsletter.yml")
    path.write_text(path.read_text().replace("harbour-notes.org", "harbournotes.example"))


def write(name: str, text: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(text)


POST = "# The boat\n\nIt came on Monday.\n"
EVENT = json.dumps({
    "sg_event_id": "a", "event": "open", "timestamp": int(time.time()),
    "email": "reader1@example.com",
})  # fmt: skip

CASES = {
    ("send", "everybody was accepted"): Case([SEND]),
    ("send", "some readers were refused"): Case([SEND], [refuse(1)]),
    ("send --strict", "some readers were refused"): Case([f"{SEND} --strict"], [refuse(1)]),
    ("send", "everybody was refused"): Case([SEND], REFUSE_ALL),
    ("send", "SendGrid stopped it: the key, the credits, the sender"): Case([SEND], BLOCK_SECOND),
    ("send", "a batch is unknown"): Case([SEND], LOSE_SECOND),
    ("send", "another number was typed than that of the readers"): Case(["send"], typed="24\n"),
    ("send", "the issue was sent, and has not changed since"): Case([SEND, SEND]),
    ("send", "the issue was sent, and has changed since"): Case([SEND, SEND], edit=change_issue),
    ("send", "the issue was sent to another segment"): Case([SEND, f"{SEND} --segment 'name ~ 7'"]),
    ("send", "the issue was sent, and some readers were refused"): Case([SEND, SEND], [refuse(1)]),
    ("send --strict", "the issue was sent, and some readers were refused"): Case(
        [SEND, f"{SEND} --strict"], [refuse(1)]
    ),
    ("send", "the issue was sent, and everybody was refused"): Case([SEND, SEND], REFUSE_ALL),
    ("send", "the database is a copy and was not adopted"): Case(
        ["status", SEND], edit=copy_database
    ),
    ("send", "the database was copied to another one, and is retired"): Case([COPY, SEND]),
    ("send --dry-run", "whether or not a real send would be refused"): Case(
        ["send --dry-run"], edit=drop_sender
    ),
    ("send", "it waits here for its time"): Case([LOCAL, SEND]),
    ("send", "SendGrid holds it until its time"): Case([HOLD, SEND]),
    ("send", "it was recalled, so it is sent again"): Case([HOLD, "cancel ice", SEND]),
    ("send", "it was cancelled, but may still go out"): Case(
        [HOLD, "cancel ice", SEND], UNCONFIRMED
    ),
    ("send --at", "nothing that would start it was seen lately"): Case([f"{SEND} --at {TIME}"]),
    ("send --catch-up", "everybody who joined since was accepted"): Case(
        [SEND, "subscribers add new@example.com", f"{SEND} --catch-up"]
    ),
    ("send --catch-up", "nobody has joined since, also with `--dry-run`"): Case(
        [SEND, "send --catch-up --dry-run"]
    ),
    ("send --catch-up", "the issue's send has not finished, is held or was cancelled"): Case(
        [HOLD, f"{SEND} --catch-up"]
    ),
    ("send --catch-up", "some who joined since got the article as another issue"): Case(
        [
            *IMPORT_TWICE,
            f"{SEND} boat",
            "subscribers add new@example.com",
            f"{SEND} again --segment 'email = new@example.com'",
            f"{SEND} boat --catch-up",
        ]
    ),
    ("send --catch-up", "with `--segment` or `--due`"): Case(["send --catch-up --segment tag:vip"]),
    ("send --due", "nothing is due"): Case(["send --due"]),
    ("send --due", "with an option that only a new send has"): Case(["send --due --dry-run"]),
    ("send --due", "the database is a copy and was not adopted"): Case(
        ["status", "send --due"], edit=copy_database
    ),
    ("send --plan", "what was approved was sent"): Case([PLAN_OUT, APPROVED]),
    (
        "send --plan",
        "the email, a setting or the number of readers has changed too much",
    ): Case([PLAN_OUT, APPROVED], edit=change_issue),
    ("send --plan", "the issue was sent, and has not changed since"): Case(
        [PLAN_OUT, APPROVED, APPROVED]
    ),
    ("send --plan", "with an issue, `--segment`, `--catch-up` or `--due`"): Case(
        [PLAN_OUT, f"{APPROVED} ice"]
    ),
    ("plan", "planned, now or before"): Case(["plan", "plan"]),
    ("plan", "the issue has changed since it was planned"): Case(
        ["plan", "plan"], edit=change_issue
    ),
    ("plan", "the issue was sent, and has not changed since"): Case([SEND, "plan"]),
    ("plan", "the database is a copy and was not adopted"): Case(
        ["status", "plan"], edit=copy_database
    ),
    ("plan --out", "the plan was written, or is in the file already"): Case([PLAN_OUT, PLAN_OUT]),
    ("plan --out", "the database is a copy: its readers are only counted"): Case(
        ["status", PLAN_OUT], edit=copy_database
    ),
    ("plan --out", "the issue is planned in the database already"): Case(["plan", PLAN_OUT]),
    ("resume", "the rest was accepted"): Case([SEND, "resume"], BLOCK_SECOND),
    ("resume", "the send has finished"): Case([SEND, "resume"]),
    ("resume", "the send has finished, and everybody was refused"): Case(
        [SEND, "resume"], REFUSE_ALL
    ),
    ("resume", "it was planned and never started"): Case(["plan", "resume"]),
    ("resume", "it was cancelled, or only unknown batches are left"): Case(
        [SEND, "resume"], LOSE_SECOND
    ),
    ("resume", "the database is a copy and was not adopted"): Case(
        [SEND, "resume"], BLOCK_SECOND, copy_database
    ),
    ("retry", "the refused readers were accepted"): Case([SEND, "retry ice --yes"], [refuse(1)]),
    ("retry", "they were refused again"): Case(
        [SEND, "retry ice --yes"], [refuse(1), ACCEPT, ACCEPT, ACCEPT, refuse(1)]
    ),
    ("retry", "nobody was refused"): Case([SEND, "retry ice --yes"]),
    ("retry", "some of them got the article as another issue"): Case(
        [*IMPORT_TWICE, f"{SEND} boat", f"{SEND} again --repeat-article", "retry boat --yes"],
        [refuse(1)],
    ),
    ("retry", "the database is a copy and was not adopted"): Case(
        [SEND, "retry ice --yes"], [refuse(1)], copy_database
    ),
    ("pause", "the send is paused already"): Case(
        [SEND, "resolve ice --resend --yes", "pause"], LOSE_SECOND
    ),
    ("pause", "it was not started, or has finished"): Case([SEND, "pause"]),
    ("cancel", "cancelled"): Case(["plan", "cancel ice"]),
    ("cancel", "SendGrid has confirmed it in time"): Case([HOLD, "cancel ice"]),
    ("cancel", "SendGrid has not confirmed it, or too late"): Case(
        [HOLD, "cancel ice"], UNCONFIRMED
    ),
    ("cancel", "it was cancelled already"): Case(["plan", "cancel ice", "cancel ice"]),
    ("cancel", "everything was sent"): Case([SEND, "cancel ice"]),
    ("cancel", "SendGrid holds it, and the database is a copy and was not adopted"): Case(
        [HOLD, "cancel ice"], edit=copy_database
    ),
    ("reschedule", "it waits for its new time"): Case(
        [LOCAL, "reschedule ice --yes --at '2099-12-01 09:00'"]
    ),
    ("reschedule", "SendGrid has not confirmed that the old time is cancelled"): Case(
        [HOLD, "reschedule ice --yes --now"], UNCONFIRMED
    ),
    ("reschedule", "it is not scheduled, or was sent"): Case([SEND, "reschedule ice --yes --now"]),
    ("reschedule", "since it was recalled, its readers got the article as another issue"): Case(
        [
            *IMPORT_TWICE,
            f"{HOLD} boat",
            "cancel boat",
            f"{SEND} again",
            "reschedule boat --yes --now",
        ]
    ),
    ("reschedule", "with neither `--at` nor `--now`"): Case([LOCAL, "reschedule ice --yes"]),
    ("resolve", "resolved"): Case([SEND, "resolve ice --accepted --yes"], LOSE_SECOND),
    ("resolve", "no batch is unknown"): Case([SEND, "resolve ice --accepted --yes"]),
    ("resolve", "a batch that was named is not unknown"): Case(
        [SEND, "resolve ice --accepted --yes 1"], LOSE_SECOND
    ),
    ("reconcile", "no batch is unknown, or any longer"): Case([SEND, "reconcile ice"]),
    ("reconcile", "a batch is still unknown"): Case([SEND, "reconcile ice"], LOSE_SECOND),
    ("status", "whatever the state of the sends"): Case([SEND, "status"], LOSE_SECOND),
    ("report", "nothing was sent"): Case(["report"]),
    ("report", "SendGrid holds it until its time"): Case([HOLD, "report ice"]),
    ("test", "SendGrid refused it"): Case(
        ["test --to me@example.com"], [faults.error_response(403, "unverified")]
    ),
    ("check", "there are warnings"): Case(["check"]),
    ("check --strict", "there are warnings"): Case(["check --strict"]),
    ("check", "there are errors"): Case(["check"], edit=break_issue),
    ("doctor", "a check failed"): Case(["doctor"], edit=drop_sender),
    ("issues", "an issue can't be read; the others are listed"): Case(["issues"], edit=empty_issue),
    ("issues", "there is no issue yet"): Case(["issues"], edit=lambda: shutil.rmtree("issues")),
    ("issues --check", "there are errors"): Case(["issues --check"], edit=break_issue),
    ("import", "the post was imported before"): Case(
        ["import boat.md --date 2026-11-30", "import boat.md --date 2026-11-30"]
    ),
    ("digest", "no post is new"): Case(["digest"]),
    ("templates use", "the design is used already"): Case(["templates use issue"]),
    ("subscribers import", "all rows were imported before"): Case(
        ["subscribers import readers.csv"]
    ),
    ("subscribers import", "a row was refused"): Case(
        ["subscribers import bad.csv"], edit=write("bad.csv", "email\nnobody\n")
    ),
    ("subscribers tag", "the readers have the tag already"): Case(
        ["subscribers tag vip --address reader1@example.com"] * 2
    ),
    ("subscribers tag", "an address is not in the list"): Case(
        ["subscribers tag vip --address nobody@example.com"]
    ),
    ("subscribers remove", "the reader has unsubscribed already"): Case(
        ["subscribers remove reader1@example.com"] * 2
    ),
    ("subscribers show", "the address is not in the list"): Case(
        ["subscribers show nobody@example.com"]
    ),
    ("events import", "all events were known"): Case(["events import events.jsonl"] * 2),
    ("events import", "some lines are not events; they are kept"): Case(
        ["events import -"], typed=f"hello\n{EVENT}"
    ),
    ("events import", "no line is an event"): Case(["events import -"], typed="hello\n"),
    ("events unreadable", "whatever is kept"): Case(["events unreadable"]),
    ("backup", "the file exists"): Case(["backup notes.backup"] * 2),
    ("db upgrade", "the database has this version already"): Case(["db upgrade"]),
    ("db adopt", "the database is not a copy, or was adopted before"): Case(["db adopt"]),
    ("db adopt", "another word was typed than `adopt`"): Case(
        ["status", "db adopt"], edit=copy_database, typed="yes\n"
    ),
    ("db copy", "everything was copied"): Case([COPY]),
    ("db copy", "it was copied there before"): Case([COPY] * 2),
    ("db copy", "the target is not empty"): Case(
        [COPY, "db copy sqlite:///other.db sqlite:///newsletter.db --yes"]
    ),
}


def documented_codes() -> dict[tuple[str, str], int]:
    rows = ROW.findall(PAGE.read_text())
    codes = {(command, case): int(code) for command, case, code in rows}
    assert len(codes) == len(rows)
    return codes


def test_every_row_of_the_table_has_a_case() -> None:
    assert list(CASES) == list(documented_codes())


@pytest.mark.parametrize("row", CASES, ids=": ".join)
def test_exit_code_is_as_documented(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, row: tuple[str, str]
) -> None:
    case = CASES[row]
    Path("boat.md").write_text(POST)
    Path("events.jsonl").write_text(EVENT)
    fake_sendgrid.inject_faults(*case.faults)
    *preparation, last = case.commands
    for command in preparation:
        newsletter(*shlex.split(command))
    case.edit()
    code, out, err = newsletter(*shlex.split(last), typed=case.typed)
    assert code == documented_codes()[row], out + err
    if code:
        assert err + out
