import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.db.schema import suppression, transactional_email
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.subscriber.signup_limits import normalize_ip, normalize_mailbox
from newsletter.web.subscriber.subscribe import make_form_token

ADA = parse_address("ada@example.org")
JSON = {"Content-Type": "application/json"}
STANDINGS = (
    "new",
    "pending",
    "active",
    "unsubscribed",
    "bounced",
    "complained",
    "kept_out",
    "erased",
)
# What tells the time, or is made anew for every answer.
FICKLE = {"date", "x-request-id"}


def post_json(server: Any, data: Any, **headers: str) -> Any:
    return server.post("/api/subscribe", body=json.dumps(data).encode(), **{**JSON, **headers})


@contextmanager
def statements(engine: sa.Engine) -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    seen: list[str] = []

    def see(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", see)


def put(desk: Any, before: str) -> str:
    """An address that is one of ``STANDINGS``."""
    address = parse_address(f"{before.replace('_', '')}@example.org")
    origin = ChangeOrigin(desk.time(), "cli")
    with desk.site.engine.begin() as connection:
        if before == "kept_out":
            row = {"scope": "all", "reason": "bounced", "since": desk.time(), "source": "sync"}
            connection.execute(sa.insert(suppression).values(address_key=address.key, **row))
        elif before != "new":
            status = "pending" if before == "pending" else "active"
            changes.subscribe(connection, address, status, origin)
        if before in changes.SUPPRESSION_ACTIONS:
            changes.SUPPRESSION_ACTIONS[before](connection, address.key, origin)
    if before == "erased":
        erase_address(desk.site.engine, address.key, desk.time())
    return address.address


@pytest.mark.parametrize("way", ["form", "json"])
def test_the_answer_is_the_same_whoever_the_address_belongs_to(
    desk: Any, server: Any, way: str
) -> None:
    answers: list[Any] = []
    for before in STANDINGS * 2:  # the second time, a letter is owed already
        fields = desk.fields(put(desk, before) if len(answers) < 8 else f"{before}@example.org")
        with statements(desk.site.engine) as seen:
            answer = (
                server.post("/subscribe", fields=fields) if way == "form"
                else post_json(server, fields)
            )  # fmt: skip
        kept = {
            name.lower(): value
            for name, value in answer.headers.items()
            if name.lower() not in FICKLE
        }
        answers.append((answer.status, answer.data, kept, seen))
    assert answers[0][0] == (200 if way == "form" else 202)
    assert answers[0][3], "the statements were seen"
    assert all(answer == answers[0] for answer in answers)


def test_a_reader_signs_up_with_the_form_of_the_page(desk: Any, server: Any) -> None:
    page = server.get("/subscribe")
    assert "no-store" in page.headers["Cache-Control"]
    token = page.data.decode().partition('name="token" value="')[2].partition('"')[0]
    desk.time.pass_by(seconds=3)
    fields = {"email": " Ada@Example.org ", "name": "Ada", "token": token, "website": ""}
    assert server.post("/subscribe", fields=fields).status == 200
    assert desk.owed() == [("Ada@example.org", "ready")]


def test_what_is_shown_again_is_escaped_and_kept(desk: Any, server: Any) -> None:
    fields = desk.fields('"><script>alert(1)</script>', name="<b>Ada</b>")
    page = server.post("/subscribe", fields=fields)
    assert page.status == 422
    assert b"<script>" not in page.data
    assert b"<b>" not in page.data
    assert b"&lt;b&gt;Ada" in page.data
    assert desk.owed() == []


def test_a_form_without_a_token_asks_to_press_once_more(desk: Any, server: Any) -> None:
    page = server.post("/subscribe", fields={"email": "ada@example.org"})
    assert page.status == 200
    assert b'value="ada@example.org"' in page.data
    assert b'name="token" value="' in page.data
    assert desk.owed() == []


@pytest.mark.parametrize("way", ["form", "json"])
@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"token": "x"}, 422), ({"token": "x.y.z"}, 422),
        ({"email": ""}, 422), ({"email": "ada"}, 422), ({"email": "a@b@c.org"}, 422),
        ({"email": "x" * 300 + "@example.org"}, 422), ({"email": "ada@example.org, b@c.org"}, 422),
        ({"name": "A" * 101}, 422),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_changes_nothing(
    desk: Any, server: Any, way: str, wrong: dict[str, str], status: int
) -> None:
    fields = {**desk.fields("ada@example.org"), **wrong}
    if way == "form":
        answer = server.post("/subscribe", fields=fields)
        assert b'role="alert"' in answer.data
    else:
        answer = post_json(server, fields)
        assert json.loads(answer.data)["error"]
    assert answer.status == status
    assert desk.owed() == []


def test_a_form_must_have_been_looked_at_and_not_for_days(desk: Any, server: Any) -> None:
    token = make_form_token(desk.site)
    fields = {"email": "ada@example.org", "token": token}
    assert server.post("/subscribe", fields=fields).status == 422
    desk.time.pass_by(seconds=1.9)
    soon = server.post("/subscribe", fields=fields)
    assert soon.status == 422
    assert token.encode() in soon.data, "the next press will do"
    desk.time.pass_by(hours=24, seconds=1)
    late = server.post("/subscribe", fields=fields)
    assert late.status == 422
    assert token.encode() not in late.data, "the page has a new one"
    assert desk.owed() == []


def test_a_form_from_the_future_or_of_another_make_is_none(desk: Any, server: Any) -> None:
    desk.time.pass_by(hours=2)
    future = make_form_token(desk.site)
    desk.time.pass_by(hours=-2)
    other = desk.site.signer("confirm").dumps(1)
    for token in (future, other):
        fields = {"email": "ada@example.org", "token": token}
        assert server.post("/subscribe", fields=fields).status == 422
    assert desk.owed() == []


def test_a_form_can_be_replayed_a_few_times(desk: Any, server: Any) -> None:
    fields = desk.fields("")
    statuses = [
        server.post("/subscribe", fields={**fields, "email": f"r{number}@example.org"}).status
        for number in range(7)
    ]
    assert statuses == [200] * 5 + [422] * 2


def test_a_program_that_fills_every_field_is_thanked_and_ignored(desk: Any, server: Any) -> None:
    trapped = server.post("/subscribe", fields=desk.fields("ada@example.org", website="x"))
    fine = server.post("/subscribe", fields=desk.fields("bob@example.org"))
    assert (trapped.status, trapped.data) == (fine.status, fine.data)
    assert desk.owed() == [("bob@example.org", "ready")]


@pytest.mark.parametrize(
    ("body", "kind", "statuses"),
    [
        (b"{}", "text/plain", {415}),
        (b"email=ada%40example.org", "application/x-www-form-urlencoded", {415}),
        (b"{", "application/json", {400}),
        (b"[]", "application/json", {400, 422}),
        (b"null", "application/json", {400, 422}),
        (b'{"email": 1}', "application/json", {400, 422}),
        (b'{"email": {"a": []}}', "application/json", {400, 422}),
        (b"\xff\xfe{}", "application/json", {400}),
        (b"[" * 50_000, "application/json", {400}),
        (b"x" * 10_000_000, "application/json", {413}),
    ],
)
def test_json_that_is_none_is_refused(
    desk: Any, server: Any, body: bytes, kind: str, statuses: set[int]
) -> None:
    answer = server.post("/api/subscribe", body=body, **{"Content-Type": kind})
    assert answer.status in statuses
    assert desk.owed() == []


@pytest.mark.parametrize(
    ("body", "kind", "statuses"),
    [
        (b"email=ada%40example.org%0d%0aBcc:x%40y.org", None, {400, 422}),
        (b"email=ada%00%40example.org", None, {400, 422}),
        (b"email=\xff%ff%40example.org", None, {400}),
        (b"email=a%40example.org&email=b%40example.org", None, {400}),
        (b"x=" + b"y" * 10_000_000, None, {413}),
        (b'{"email": "ada@example.org"}', "application/json", {415}),
        (b"email=ada%40example.org", "multipart/form-data; boundary=x", {400, 415}),
    ],
)
def test_a_form_that_is_none_is_refused(
    desk: Any, server: Any, body: bytes, kind: str | None, statuses: set[int]
) -> None:
    token = f"&token={desk.token()}".encode() if body.startswith(b"email") else b""
    kind = kind or "application/x-www-form-urlencoded"
    answer = server.post("/subscribe", body=body + token, **{"Content-Type": kind})
    assert answer.status in statuses
    assert desk.owed() == []


SITES = {"public": {"cors_origins": ("https://harbour-notes.org",)}}


@pytest.mark.parametrize("settings", [SITES])
@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://harbour-notes.org", True),
        ("https://harbour-notes.org.evil.example", False),
        ("https://sub.harbour-notes.org", False),
        ("http://harbour-notes.org", False),
        ("null", False),
    ],
)
def test_only_the_named_sites_may_use_the_endpoint(
    desk: Any, server: Any, origin: str, *, allowed: bool
) -> None:
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = server.request("OPTIONS", "/api/subscribe", **asks)
    token = server.get("/api/form-token", Origin=origin)
    desk.time.pass_by(seconds=3)
    fields = {"email": "ada@example.org", "token": json.loads(token.data)["token"]}
    answer = post_json(server, fields, Origin=origin)
    bad = post_json(server, {}, Origin=origin)
    for one in (preflight, token, answer, bad):
        assert one.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert "Origin" in one.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in one.headers
    assert (preflight.status == 200) is allowed
    assert (answer.status == 202) is allowed, "another site's page may not even ask"
    assert len(desk.owed()) == allowed
    with desk.site.engine.begin() as connection:
        data = connection.scalar(sa.select(transactional_email.c.data))
    assert (data and data["source"]) == (f"/api/subscribe {origin}" if allowed else None)


def test_the_words_that_a_reader_agrees_to_are_kept(desk: Any, server: Any) -> None:
    shown = json.loads(server.get("/api/form-token").data)["wording"]
    assert shown in server.get("/subscribe").data.decode()
    server.post("/subscribe", fields=desk.fields("ada@example.org"))
    with desk.site.engine.begin() as connection:
        assert connection.scalar(sa.select(transactional_email.c.data))["wording"] == shown


def test_the_snippet_names_this_site(server: Any) -> None:
    page = server.get("/embed").data.decode()
    assert "https://news.harbour-notes.org/subscribe" in page
    assert "https://news.harbour-notes.org/assets/subscribe.js" in page
    script = server.get("/assets/subscribe.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert b"://" not in script.data, "nobody else is asked"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip
FIELDS = st.sampled_from(["email", "name", "token", "website", "again"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(FIELDS, VALUES) | VALUES | st.binary(max_size=60))
def test_whatever_comes_as_json_is_answered_calmly(server: Any, data: Any) -> None:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    answer = server.post("/api/subscribe", body=body, **JSON)
    assert answer.status < 500
    json.loads(answer.data)


def test_a_mailbox_and_a_network_are_known_by_any_spelling() -> None:
    spellings = ("a.da+x@gmail.com", "A.D.A@googlemail.com", "ada@gmail.com")
    assert {normalize_mailbox(parse_address(one)) for one in spellings} == {"ada@gmail.com"}
    assert normalize_mailbox(parse_address("a.da+x@example.org")) == "a.da@example.org"
    assert normalize_mailbox(parse_address("+x@example.org")) == "+x@example.org"
    assert (
        normalize_ip("2001:db8:1:2::9") == normalize_ip("2001:db8:1:2:3::1") == "2001:db8:1:2::/64"
    )
    assert normalize_ip("::ffff:192.0.2.1") == normalize_ip("192.0.2.1") == "192.0.2.1"
    assert normalize_ip("a socket") == "a socket"
