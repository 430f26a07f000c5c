"""The doctor's checks on this machine, at SendGrid's API, and of one-click unsubscribe."""

import datetime
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ready_to_send import BASIC_SETTINGS
from sending_fixtures import configured

from newsletter.db import database_engine
from newsletter.events.unreadable_item import make_unreadable_item
from newsletter.events.unreadable_store import record_unreadable
from newsletter.project import open_project
from newsletter.sending.doctor.local import check_local_setup
from newsletter.sending.doctor.online import check_account, check_one_click_unsubscribe
from newsletter.sending.doctor_check import DoctorCheck
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.subscribers.topics import set_chosen_topics

KEY = f"SG.{'a' * 22}.{'b' * 43}"
NOW = datetime.datetime(2026, 12, 1, 8, tzinfo=datetime.UTC)

Cli = Callable[..., tuple[int, str, str]]
FindProblems = Callable[..., dict[str, DoctorCheck]]


@pytest.fixture
def find_problems(project_folder: Path) -> FindProblems:
    """Check a project with altered settings and return the checks that are not ok."""

    def run_checks(
        old: str = "", new: str = "", key: str = KEY, more: str = ""
    ) -> dict[str, DoctorCheck]:
        (project_folder / "newsletter.yml").write_text(BASIC_SETTINGS.replace(old, new) + more)
        checks = check_local_setup(open_project(), {"SENDGRID_API_KEY": key}, lambda: NOW)
        return {check.about: check for check in checks if check.state != "ok"}

    return run_checks


def test_files_with_readers_that_are_open_or_outdated(
    find_problems: FindProblems, cli: Cli, project_folder: Path
) -> None:
    for name in ("ada", "bo"):
        cli("subscribers", "add", f"{name}@example.com")
    assert "dry runs" not in find_problems()
    folder = project_folder / "build" / "2026-12-01-ice" / "dry-run"
    cli("subscribers", "erase", "ada@example.com", "--yes")
    folder.mkdir(parents=True)
    (folder / "requests.jsonl").write_text('{"nl_subscriber":"1"},{"nl_subscriber":"2"}')
    problem = find_problems()["dry runs"]
    assert (problem.state, problem.says) == (
        "warn",
        "build/2026-12-01-ice/dry-run mentions readers who have been erased since",
    )
    assert problem.next_step == "Delete it: rm -r build/2026-12-01-ice/dry-run"


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o660, 0), (0o644, 1), (0o602, 1)])
def test_database_that_every_user_may_open(
    find_problems: FindProblems, cli: Cli, project_folder: Path, mode: int, warnings: int
) -> None:
    cli("subscribers", "add", "ada@example.com")
    (project_folder / "newsletter.db").chmod(mode)
    problem = find_problems().get("database")
    assert bool(problem) == bool(warnings)
    if problem:
        assert problem.next_step == "Let only its owner and its group: chmod o= newsletter.db*"


def test_new_project_lacks_subscribers_and_a_webhook_key(find_problems: FindProblems) -> None:
    problems = find_problems()
    assert {about: check.state for about, check in problems.items()} == {
        "webhook": "warn",
        "database": "warn",
    }
    assert all(check.next_step for check in problems.values())


@pytest.mark.parametrize(
    ("about", "state", "changes"),
    [
        ("settings", "fail", {"old": "postal_address: Harbour Notes, 1 Quay Street, Bergen\n"}),
        ("settings", "fail", {"old": "public_url: https://news.harbour-notes.org\n"}),
        ("settings", "fail", {"old": "editor@harbour-notes.org", "new": "editor@notes.example"}),
        ("key", "fail", {"key": ""}),
        ("key", "warn", {"key": "SG.too-short"}),
        ("API", "warn", {"more": "sendgrid:\n  host: http://127.0.0.1:8025\n"}),
        ("sender", "fail", {"old": "editor@harbour-notes.org", "new": "editor@gmail.com"}),
        ("sender", "warn", {"old": "editor@harbour-notes.org", "new": "editor@elsewhere.org"}),
        (
            "unsubscribing",
            "warn",
            {"old": "https://news.harbour-notes.org", "new": "http://127.0.0.1:1"},
        ),
        ("images", "warn", {"old": "public_url: https://news.harbour-notes.org\n"}),
        ("images", "warn", {"old": "https://news.harbour-notes.org", "new": "http://127.0.0.1:1"}),
        ("images", "warn", {"more": "image_url: http://127.0.0.1/{slug}/{file}\n"}),
        ("webhook", "warn", {"more": "sendgrid:\n  webhook_unsigned: true\n"}),
        ("tracking", "warn", {"more": "tracking: all\n"}),
        ("tracking", "warn", {"more": "tracking: {opens: true, clicks: ask}\n"}),
        ("database", "fail", {"more": "database: postgresql://nobody@127.0.0.1:1/none\n"}),
    ],
)
def test_changed_setting_is_reported(
    find_problems: FindProblems, about: str, state: str, changes: dict[str, Any]
) -> None:
    check = find_problems(**changes)[about]
    assert check.state == state
    assert check.meaning or check.next_step


def test_postgresql_that_does_not_wait_for_the_disk_is_reported(
    find_problems: FindProblems, postgres_url: str
) -> None:
    """The server of the tests runs with ``fsync=off``."""
    check = find_problems(more=f"database: {postgres_url}\n")["database"]
    assert (check.state, check.says) == ("warn", "fsync of PostgreSQL is off")
    assert "twice" in check.meaning


def test_database_of_another_newsletter_is_reported(
    find_problems: FindProblems, project_folder: Path
) -> None:
    with (
        database_engine("sqlite:///newsletter.db", project_folder, "mountain-2") as engine,
        engine.begin(),
    ):
        pass
    assert "database" not in find_problems(more="id: mountain-2\n")
    for settings, state in (("id: harbour-1\n", "fail"), ("", "warn")):
        check = find_problems(more=settings)["database"]
        assert (check.state, "mountain-2" in check.says) == (state, True)


@pytest.mark.parametrize(
    ("minutes", "age"),
    [(59, "less than an hour"), (61, "1 hour"), (7 * 60, "7 hours"), (50 * 60, "2 days")],
)
def test_unreadable_events_are_reported_with_their_number_and_age(
    find_problems: FindProblems, project_folder: Path, minutes: int, age: str
) -> None:
    items = [make_unreadable_item(text, "it is not valid JSON") for text in (b"a", b"b")]
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        record_unreadable(connection, items[:1], NOW - datetime.timedelta(days=5))
        record_unreadable(connection, items[1:], NOW - datetime.timedelta(minutes=minutes))
    check = find_problems()["events"]
    assert (check.state, check.says) == (
        "warn",
        f"2 received and not understood, the latest {age} ago",
    )
    assert check.next_step == "Look at them with: newsletter events unreadable"


def test_topic_that_was_renamed_since_readers_opted_out_is_reported(
    find_problems: FindProblems, cli: Cli, project_folder: Path
) -> None:
    for name in ("ada", "bo"):
        cli("subscribers", "add", f"{name}@example.com")
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        for name, topics in (("ada", ["weekly"]), ("bo", ["weekly", "events"])):
            set_chosen_topics(connection, f"{name}@example.com", topics, [], (NOW, "/p"))
    settings = "preferences: {topics: {Weekly: Every week, events: Invitations}}\n"
    assert "topics" not in find_problems(more=settings)
    check = find_problems(more=settings.replace("Weekly", "letter"))["topics"]
    assert (check.state, check.says) == (
        "warn",
        "2 readers have opted out of 'weekly', which newsletter.yml doesn't declare",
    )


def test_own_preferences_page_without_topics_is_reported(
    find_problems: FindProblems, project_folder: Path
) -> None:
    page = project_folder / "templates" / "web" / "preferences.html"
    settings = "preferences: {topics: {weekly: Every week}}\n"
    for text, more, is_reported in (
        ("{% for topic, text, wanted in topics %}", settings, False),
        ("{% for tag, text, has in tags %}", settings, True),
        ("{% for tag, text, has in tags %}", "", False),
    ):
        page.parent.mkdir(exist_ok=True)
        page.write_text(text)
        assert ("topics" in find_problems(more=more)) == is_reported


def test_template_that_does_not_compile_is_reported(
    find_problems: FindProblems, project_folder: Path
) -> None:
    issue = project_folder / "issues" / "2026-12-01-ice"
    issue.mkdir()
    (issue / "post.md").write_text("---\ntitle: Ice\n---\nThe ice let go.\n")
    assert "templates" not in find_problems()
    (project_folder / "templates" / "issue.mjml").write_text("<mjml>{% if %}</mjml>")
    assert find_problems()["templates"].state == "fail"


def test_broken_email_to_one_reader_is_found(
    find_problems: FindProblems, project_folder: Path
) -> None:
    templates = project_folder / "templates"
    (templates / "welcome.md").write_text("# Welcome\n\nAhoy {{ nickname }}\n")
    assert "single emails" not in find_problems(), "it isn't sent"
    problem = find_problems(more="signup: {welcome: true}\n")["single emails"]
    assert problem.state == "fail"
    assert "welcome.md:3: {{ nickname }} is not a merge tag" in problem.says
    assert problem.meaning == "The welcome email waits until this is fixed."
    page = "<mj-section><mj-column><mj-text>Ours</mj-text></mj-column></mj-section>"
    head = '{% set subject = "A" %}{% set preheader = "B" %}'
    (templates / "welcome.mjml").write_text(f"{head}<mjml><mj-body>{page}</mj-body></mjml>")
    problem = find_problems(more="signup: {welcome: true}\n")["single emails"]
    assert (problem.state, problem.meaning) == ("warn", "Readers get welcome.mjml.")


def test_key_is_never_quoted(find_problems: FindProblems) -> None:
    for key in (KEY, "SG.secret-but-short"):
        assert not any(key[3:] in repr(check) for check in find_problems(key=key).values())


def check_online(
    mailer: SendGridClient, now: datetime.datetime | None = None, **settings: Any
) -> list[DoctorCheck]:
    return list(
        check_account(configured(**settings), mailer, now or datetime.datetime.now(datetime.UTC))
    )


def states(checks: list[DoctorCheck]) -> dict[str, str]:
    return {check.about: check.state for check in checks}


def make_domain(
    name: str, records: dict[str, dict[str, Any]] | None = None, *, valid: bool = False
) -> dict[str, Any]:
    """Make an authenticated domain as Twilio's documentation of the endpoint shows it."""
    return {
        "id": 1,
        "user_id": 7,
        "subdomain": "em1",
        "domain": name,
        "automatic_security": True,
        "valid": valid,
        "dns": {
            "mail_cname": make_record(f"em1.{name}", "u7.wl.sendgrid.net", valid=valid),
            "dkim1": make_record(f"s1._domainkey.{name}", "s1.domainkey.u7.wl", valid=valid),
            "dkim2": make_record(f"s2._domainkey.{name}", "s2.domainkey.u7.wl", valid=valid),
            **(records or {}),
        },
    }


def make_record(
    host: str, data: str, record_type: str = "cname", *, valid: bool = False
) -> dict[str, Any]:
    return {"valid": valid, "type": record_type, "host": host, "data": data}


def test_valid_key_and_authenticated_domain_are_ok(
    double: FakeSendGrid, mailer: SendGridClient
) -> None:
    double.account.scopes.append("whitelabel.read")
    double.account.domains = [make_domain("harbour-notes.org", valid=True)]
    assert states(check_online(mailer)) == {"API": "ok", "clock": "ok", "sender at SendGrid": "ok"}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (
            {"dkim1": make_record("s1._domainkey.harbour-notes.org", "s1.wl", valid=True)},
            {
                ("em1.harbour-notes.org", "CNAME", "u7.wl.sendgrid.net"),
                ("s2._domainkey.harbour-notes.org", "CNAME", "s2.domainkey.u7.wl"),
            },
        ),
        (
            {
                "mail_cname": make_record("em1.harbour-notes.org.", "mx.sendgrid.net", "mx"),
                "dkim1": make_record("m1._domainkey.harbour-notes.org", "k=rsa; p=MIG", "txt"),
                "dkim2": make_record("harbour-notes.org", "v=spf1 include:u7.wl -all", "txt"),
            },
            {
                ("em1.harbour-notes.org", "MX", "mx.sendgrid.net"),
                ("m1._domainkey.harbour-notes.org", "TXT", "k=rsa; p=MIG"),
                ("harbour-notes.org", "TXT", "v=spf1 include:u7.wl -all"),
            },
        ),
        # Of what is not as documented, nothing is shown.
        (
            {
                "mail_cname": {"valid": False, "type": "cname", "host": None, "data": 3},
                "dkim1": make_record("x.harbour-notes.org", "y", "a"),
                "dkim2": {},
            },
            set(),
        ),
    ],
)
def test_records_of_a_domain_that_is_not_verified_are_shown(
    double: FakeSendGrid,
    mailer: SendGridClient,
    records: dict[str, dict[str, Any]],
    expected: set[tuple[str, str, str]],
) -> None:
    double.account.scopes.append("whitelabel.read")
    domain = make_domain("harbour-notes.org", records)
    double.account.domains = [make_domain("elsewhere.org"), domain, domain]
    check = check_online(mailer)[-1]
    assert (check.state, check.says) == ("fail", "harbour-notes.org is set up, but not verified")
    assert {(record.host, record.type, record.value) for record in check.records} == expected
    assert len(check.records) == len(expected)
    assert check.next_step.endswith(":" if expected else ".")


def test_missing_permissions_are_reported_with_their_purpose(
    double: FakeSendGrid, mailer: SendGridClient
) -> None:
    double.account.scopes = ["mail.batch.create"]
    checks = [check for check in check_online(mailer) if check.about == "API"]
    by_message = {check.says: check for check in checks}
    assert by_message["the key lacks mail.send"].state == "fail"
    assert by_message["the key lacks suppression.read"].state == "warn"
    assert "subscribers sync" in by_message["the key lacks suppression.read"].meaning
    assert not any("mail.batch" in check.says for check in checks)


def test_permissions_for_each_list_are_equivalent_to_one_for_all(
    double: FakeSendGrid, mailer: SendGridClient
) -> None:
    names = ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes")
    double.account.scopes.remove("suppression.read")
    double.account.scopes += [f"suppression.{name}.read" for name in names]
    assert states(check_online(mailer))["API"] == "ok"
    double.account.scopes.pop()
    assert states(check_online(mailer))["API"] == "warn"


def test_unsubscribe_group_requires_another_permission(mailer: SendGridClient) -> None:
    checks = check_online(mailer, sendgrid={"asm_group": 12})
    assert any("asm.groups.suppressions.read" in check.says for check in checks)


@pytest.mark.parametrize(
    ("domains", "senders", "expected"),
    [
        (None, None, ("warn", "may not read")),
        (None, [{"from_email": "editor@harbour-notes.org", "verified": True}], ("warn", "may not")),
        ([], [], ("fail", "neither")),
        ([], None, ("warn", "may not read")),
        ([make_domain("harbour-notes.org")], None, ("fail", "not verified")),
        ([{"domain": "harbour-notes.org", "valid": False}], None, ("fail", "not verified")),
        ([{"domain": "HARBOUR-notes.org", "valid": True}], None, ("ok", "authenticated")),
        ([{"domain": "elsewhere.org", "valid": True}], [], ("fail", "neither")),
        ([], [{"from_email": "Editor@harbour-notes.org", "verified": True}], ("warn", "DMARC")),
        ([], [{"from_email": "editor@harbour-notes.org", "verified": False}], ("fail", "neither")),
    ],
)
def test_sender_is_ok_only_if_its_domain_is_authenticated(
    double: FakeSendGrid,
    mailer: SendGridClient,
    domains: list[dict[str, Any]] | None,
    senders: list[dict[str, Any]] | None,
    expected: tuple[str, str],
) -> None:
    double.account.senders = senders
    if domains is not None:
        double.account.scopes.append("whitelabel.read")
        double.account.domains = domains
    check = check_online(mailer)[-1]
    assert check.state == expected[0]
    assert expected[1] in f"{check.says} {check.meaning}"


def test_key_that_may_not_read_the_domains_is_named_the_permission(mailer: SendGridClient) -> None:
    step = check_online(mailer)[-1].next_step
    assert "whitelabel.read" in step
    assert "look at harbour-notes.org yourself: SendGrid → Settings → Sender Authentication" in step


def test_subdomain_does_not_inherit_its_parents_authentication(
    double: FakeSendGrid, mailer: SendGridClient
) -> None:
    double.account.scopes.append("whitelabel.read")
    parent = make_domain("harbour-notes.org", valid=True)
    sender = {"name": "Notes", "address": "ed@news.harbour-notes.org"}
    double.account.domains = [parent]
    check = check_online(mailer, sender=sender)[-1]
    assert (check.state, check.says) == (
        "warn",
        "harbour-notes.org is authenticated, but email is sent from news.harbour-notes.org",
    )
    double.account.domains = [parent, make_domain("news.harbour-notes.org")]
    assert len(check_online(mailer, sender=sender)[-1].records) == 3


def test_clock_skew_is_reported(mailer: SendGridClient) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for seconds, state in ((0, "ok"), (90, "warn"), (-3_600, "fail")):
        skewed = now + datetime.timedelta(seconds=seconds)
        assert states(check_online(mailer, skewed))["clock"] == state
    assert parsedate_to_datetime("Tue, 01 Dec 2026 08:00:00 GMT") == NOW


def test_rejected_key_is_the_only_failure(double: FakeSendGrid) -> None:
    client = SendGridClient("SG.another", configured(sendgrid={"host": double.url}).sendgrid)
    (check,) = check_online(client)
    client.close()
    assert check.state == "fail"
    assert "401" in check.says


def test_unreachable_api_is_the_only_failure() -> None:
    client = SendGridClient("SG.a", configured(sendgrid={"host": "http://127.0.0.1:1"}).sendgrid)
    (check,) = check_online(client)
    client.close()
    assert check.state == "fail"
    assert "connection refused" in check.says


@pytest.mark.parametrize("fault", [faults.error_response(403), faults.error_response(500)])
def test_permissions_that_cannot_be_fetched_are_a_warning(
    double: FakeSendGrid, mailer: SendGridClient, fault: InjectedFault
) -> None:
    double.inject_faults(fault)
    check = check_online(mailer)[0]
    assert check.state == "warn"
    assert str(fault.status) in check.says


@pytest.mark.parametrize(
    "scopes", [[], [{"mail.send": True}], [None, 3, "mail.send.everything"], ["MAIL.SEND"]]
)
def test_invalid_permissions_are_ignored(
    double: FakeSendGrid, mailer: SendGridClient, scopes: list[Any]
) -> None:
    double.account.scopes = scopes
    assert any(check.says == "the key lacks mail.send" for check in check_online(mailer))


@pytest.mark.parametrize("rows", [{"results": 3}, 3, [3, None], [{"domain": None, "valid": 1}]])
def test_invalid_domain_list_is_a_warning(
    double: FakeSendGrid, mailer: SendGridClient, rows: Any
) -> None:
    double.account.domains = rows
    assert check_online(mailer)[-1].state == "warn"


class _Redirecting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"https://elsewhere.org{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """No-op."""


def test_redirect_of_the_unsubscribe_url_fails() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        (check,) = check_one_click_unsubscribe(
            configured(public_url=f"http://127.0.0.1:{server.server_port}")
        )
        server.shutdown()
        thread.join()
    assert check.state == "fail"
    assert "redirects (301)" in check.says
    assert "https://elsewhere.org/u/" in check.next_step


def test_different_or_unreachable_server_at_the_unsubscribe_url_fails(
    double: FakeSendGrid,
) -> None:
    (check,) = check_one_click_unsubscribe(configured(public_url=double.url))
    assert check.state == "fail"
    assert "a different server responds" in check.says
    (check,) = check_one_click_unsubscribe(configured(public_url="http://127.0.0.1:1"))
    assert "connection refused" in check.says
    assert not list(check_one_click_unsubscribe(configured(public_url=None)))


def test_clock_behind_the_latest_record_fails(
    newsletter: Cli, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert newsletter("plan", "the-ice")[0] == 0
    monkeypatch.delenv("SENDGRID_HOST")
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    project = open_project(project_folder)
    checks = check_local_setup(project, {"SENDGRID_API_KEY": KEY}, lambda: long_ago)
    clock = next(check for check in checks if check.about == "clock")
    assert clock.state == "fail"
    assert "NTP" in clock.next_step


def test_unsubscribe_group_replaces_the_public_url(find_problems: FindProblems) -> None:
    problems = find_problems(
        "public_url: https://news.harbour-notes.org\n", more="sendgrid: {asm_group: 7}\n"
    )
    assert "unsubscribing" not in problems
    assert "settings" not in problems
