"""What the doctor sees on this machine, and what SendGrid's API tells it."""

import datetime
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sending_fixtures import configured

from newsletter.project import open_project
from newsletter.sending.doctor.local import DoctorCheck, check_local_setup
from newsletter.sending.doctor.online import check_account, check_one_click_unsubscribe
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

KEY = f"SG.{'a' * 22}.{'b' * 43}"
NOW = datetime.datetime(2026, 12, 1, 8, tzinfo=datetime.UTC)
SETTINGS = """\
name: Harbour Notes
sender:
  name: Harbour Notes
  address: editor@harbour-notes.org
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
"""

Cli = Callable[..., tuple[int, str, str]]
Look = Callable[..., dict[str, DoctorCheck]]


@pytest.fixture
def look(project_folder: Path) -> Look:
    """Examines a folder whose settings have been altered; gives what isn't in order."""

    def at(old: str = "", new: str = "", key: str = KEY, more: str = "") -> dict[str, DoctorCheck]:
        (project_folder / "newsletter.yml").write_text(SETTINGS.replace(old, new) + more)
        lines = check_local_setup(open_project(), {"SENDGRID_API_KEY": key}, lambda: NOW)
        return {line.about: line for line in lines if line.state != "ok"}

    return at


def test_a_folder_in_order_lacks_readers_and_a_webhook(look: Look) -> None:
    found = look()
    assert {about: line.state for about, line in found.items()} == {
        "webhook": "warn", "database": "warn",
    }  # fmt: skip
    assert all(line.next_step for line in found.values())


@pytest.mark.parametrize(
    ("about", "state", "given"),
    [
        ("settings", "fail", {"old": "postal_address: Harbour Notes, 1 Quay Street, Bergen\n"}),
        ("settings", "fail", {"old": "public_url: https://news.harbour-notes.org\n"}),
        ("settings", "fail", {"old": "editor@harbour-notes.org", "new": "editor@notes.example"}),
        ("key", "fail", {"key": ""}),
        ("key", "warn", {"key": "SG.too-short"}),
        ("API", "warn", {"more": "sendgrid:\n  host: http://127.0.0.1:8025\n"}),
        ("sender", "fail", {"old": "editor@harbour-notes.org", "new": "editor@gmail.com"}),
        ("sender", "warn", {"old": "editor@harbour-notes.org", "new": "editor@elsewhere.org"}),
        ("unsubscribing", "warn", {"old": "https://news.harbour-notes.org", "new": "http://127.0.0.1:1"}),
        ("webhook", "warn", {"more": "sendgrid:\n  webhook_unsigned: true\n"}),
        ("database", "fail", {"more": "database: postgresql://nobody@127.0.0.1:1/none\n"}),
    ],
)  # fmt: skip
def test_what_is_amiss_is_told(look: Look, about: str, state: str, given: dict[str, Any]) -> None:
    line = look(**given)[about]
    assert line.state == state
    assert line.meaning or line.next_step


def test_a_template_that_does_not_compile_is_told(look: Look, project_folder: Path) -> None:
    issue = project_folder / "issues" / "2026-12-01-ice"
    issue.mkdir()
    (issue / "post.md").write_text("---\ntitle: Ice\n---\nThe ice let go.\n")
    assert "templates" not in look()
    (project_folder / "templates" / "issue.mjml").write_text("<mjml>{% if %}</mjml>")
    assert look()["templates"].state == "fail"


def test_the_key_is_never_told(look: Look) -> None:
    for key in (KEY, "SG.secret-but-short"):
        assert not any(key[3:] in repr(line) for line in look(key=key).values())


def account(
    mailer: SendGridClient, now: datetime.datetime | None = None, **more: Any
) -> list[DoctorCheck]:
    return list(
        check_account(configured(**more), mailer, now or datetime.datetime.now(datetime.UTC))
    )


def states(lines: list[DoctorCheck]) -> dict[str, str]:
    return {line.about: line.state for line in lines}


def test_a_key_and_a_domain_in_order(double: FakeSendGrid, mailer: SendGridClient) -> None:
    double.account.domains = [{"domain": "harbour-notes.org", "valid": True}]
    double.account.senders = []
    assert states(account(mailer)) == {"API": "ok", "clock": "ok", "sender at SendGrid": "ok"}


def test_missing_permissions_are_named_with_what_they_are_for(
    double: FakeSendGrid, mailer: SendGridClient
) -> None:
    double.account.scopes = ["mail.batch.create"]
    lines = [line for line in account(mailer) if line.about == "API"]
    told = {line.says: line for line in lines}
    assert told["the key lacks mail.send"].state == "fail"
    assert told["the key lacks suppression.read"].state == "warn"
    assert "subscribers sync" in told["the key lacks suppression.read"].meaning
    assert not any("mail.batch" in line.says for line in lines)


def test_permissions_for_each_list_are_as_good_as_one_for_all(
    double: FakeSendGrid, mailer: SendGridClient
) -> None:
    names = ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes")
    double.account.scopes.remove("suppression.read")
    double.account.scopes += [f"suppression.{name}.read" for name in names]
    assert states(account(mailer))["API"] == "ok"
    double.account.scopes.pop()
    assert states(account(mailer))["API"] == "warn"


def test_a_group_wants_a_permission_more(mailer: SendGridClient) -> None:
    lines = account(mailer, sendgrid={"asm_group": 12})
    assert any("asm.groups.suppressions.read" in line.says for line in lines)


@pytest.mark.parametrize(
    ("domains", "senders", "expected"),
    [
        (None, None, ("warn", "may not ask")),
        ([], [], ("fail", "neither")),
        ([{"domain": "harbour-notes.org", "valid": False}], None, ("fail", "not verified")),
        ([{"domain": "HARBOUR-notes.org", "valid": True}], None, ("ok", "authenticated")),
        ([{"domain": "elsewhere.org", "valid": True}], [], ("fail", "neither")),
        ([], [{"from_email": "Editor@harbour-notes.org", "verified": True}], ("warn", "DMARC")),
        (None, [{"from_email": "editor@harbour-notes.org", "verified": False}], ("warn", "ask")),
    ],
)
def test_the_sender_is_looked_up(
    double: FakeSendGrid,
    mailer: SendGridClient,
    domains: list[dict[str, Any]] | None,
    senders: list[dict[str, Any]] | None,
    expected: tuple[str, str],
) -> None:
    double.account.domains, double.account.senders = domains, senders
    line = account(mailer)[-1]
    assert line.state == expected[0]
    assert expected[1] in f"{line.says} {line.meaning}"


def test_a_clock_that_is_off_is_told(mailer: SendGridClient) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for seconds, state in ((0, "ok"), (90, "warn"), (-3_600, "fail")):
        off = now + datetime.timedelta(seconds=seconds)
        assert states(account(mailer, off))["clock"] == state
    assert parsedate_to_datetime("Tue, 01 Dec 2026 08:00:00 GMT") == NOW


def test_a_key_that_is_refused_ends_it(double: FakeSendGrid) -> None:
    other = SendGridClient("SG.another", configured(sendgrid={"host": double.url}).sendgrid)
    (line,) = account(other)
    other.close()
    assert line.state == "fail"
    assert "401" in line.says


def test_an_api_that_is_silent_ends_it() -> None:
    nowhere = SendGridClient("SG.a", configured(sendgrid={"host": "http://127.0.0.1:1"}).sendgrid)
    (line,) = account(nowhere)
    nowhere.close()
    assert line.state == "fail"
    assert "connection refused" in line.says


@pytest.mark.parametrize("fault", [faults.error_response(403), faults.error_response(500)])
def test_a_key_that_may_not_ask_is_told_so(
    double: FakeSendGrid, mailer: SendGridClient, fault: InjectedFault
) -> None:
    double.inject_faults(fault)
    line = account(mailer)[0]
    assert line.state == "warn"
    assert str(fault.status) in line.says


@pytest.mark.parametrize(
    "scopes", [[], [{"mail.send": True}], [None, 3, "mail.send.everything"], ["MAIL.SEND"]]
)
def test_odd_permissions_are_none(
    double: FakeSendGrid, mailer: SendGridClient, scopes: list[Any]
) -> None:
    double.account.scopes = scopes
    assert any(line.says == "the key lacks mail.send" for line in account(mailer))


@pytest.mark.parametrize("rows", [{"results": 3}, 3, [3, None], [{"domain": None, "valid": 1}]])
def test_odd_answers_about_the_sender_verify_nobody(
    double: FakeSendGrid, mailer: SendGridClient, rows: Any
) -> None:
    double.account.domains = rows
    assert account(mailer)[-1].state == "warn"


class _Redirecting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"https://elsewhere.org{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_a_server_that_redirects_lets_nobody_leave() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        (line,) = check_one_click_unsubscribe(
            configured(public_url=f"http://127.0.0.1:{server.server_port}")
        )
        server.shutdown()
        thread.join()
    assert line.state == "fail"
    assert "redirects (301)" in line.says
    assert "https://elsewhere.org/u/" in line.next_step


def test_a_server_that_is_not_ours_lets_nobody_leave(double: FakeSendGrid) -> None:
    (line,) = check_one_click_unsubscribe(configured(public_url=double.url))
    assert line.state == "fail"
    assert "something else answers" in line.says
    (line,) = check_one_click_unsubscribe(configured(public_url="http://127.0.0.1:1"))
    assert "connection refused" in line.says
    assert not list(check_one_click_unsubscribe(configured(public_url=None)))


def test_the_clock_is_held_against_what_is_on_record(
    newsletter: Cli, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert newsletter("plan", "the-ice")[0] == 0
    monkeypatch.delenv("SENDGRID_HOST")
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    project = open_project(project_folder)
    lines = check_local_setup(project, {"SENDGRID_API_KEY": KEY}, lambda: long_ago)
    clock = next(line for line in lines if line.about == "clock")
    assert clock.state == "fail"
    assert "NTP" in clock.next_step


def test_sendgrids_own_page_is_a_way_out(look: Look) -> None:
    found = look("public_url: https://news.harbour-notes.org\n", more="sendgrid: {asm_group: 7}\n")
    assert "unsubscribing" not in found
    assert "settings" not in found
