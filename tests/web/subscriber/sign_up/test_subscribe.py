"""Sign-up form and API: same response for every address, refusals, CORS."""

import json
import re
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
from newsletter.web.site_context import Site
from newsletter.web.subscriber.newsletter_facts import round_down
from newsletter.web.subscriber.requested_emails import normalize_mailbox
from newsletter.web.subscriber.signup_limits import normalize_ip
from newsletter.web.subscriber.subscribe import make_form_token

ADA = parse_address("ada@example.org")
JSON = {"Content-Type": "application/json"}
STATES = (
    "new",
    "pending",
    "active",
    "unsubscribed",
    "bounced",
    "complained",
    "kept_out",
    "erased",
)
# Headers that differ from response to response.
VARYING_HEADERS = {"date", "x-request-id"}


def post_json(server: Any, data: Any, **headers: str) -> Any:
    return server.post("/api/subscribe", body=json.dumps(data).encode(), **{**JSON, **headers})


@contextmanager
def record_statements(engine: sa.Engine) -> Iterator[list[str]]:
    """Record the SQL statements that are executed."""
    recorded: list[str] = []

    def record(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        recorded.append(statement)

    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield recorded
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)


def add_address(harness: Any, state: str) -> str:
    """Add an address in one of ``STATES``, and return it."""
    address = parse_address(f"{state.replace('_', '')}@example.org")
    origin = ChangeOrigin(harness.clock(), "cli")
    with harness.site.engine.begin() as connection:
        if state == "kept_out":
            row = {"scope": "all", "reason": "bounced", "since": harness.clock(), "source": "sync"}
            connection.execute(sa.insert(suppression).values(address_key=address.key, **row))
        elif state != "new":
            status = "pending" if state == "pending" else "active"
            changes.subscribe(connection, address, status, origin)
        if state in changes.SUPPRESSION_ACTIONS:
            changes.SUPPRESSION_ACTIONS[state](connection, address.key, origin)
    if state == "erased":
        erase_address(harness.site.engine, address.key, harness.clock())
    return address.address


@pytest.mark.parametrize("way", ["form", "json"])
def test_response_and_statements_do_not_depend_on_the_address(
    harness: Any, server: Any, way: str
) -> None:
    results: list[Any] = []
    for state in STATES * 2:  # the second time, an email is enqueued already
        is_first = len(results) < len(STATES)
        fields = harness.make_fields(
            add_address(harness, state) if is_first else f"{state}@example.org"
        )
        with record_statements(harness.site.engine) as statements:
            response = (
                server.post("/subscribe", fields=fields)
                if way == "form"
                else post_json(server, fields)
            )
        headers = {
            name.lower(): value
            for name, value in response.headers.items()
            if name.lower() not in VARYING_HEADERS
        }
        results.append((response.status, response.data, headers, statements))
    assert results[0][0] == (200 if way == "form" else 202)
    assert results[0][3], "the statements were recorded"
    assert all(result == results[0] for result in results)


def test_sign_up_with_the_form_of_the_page(harness: Any, server: Any) -> None:
    page = server.get("/subscribe")
    assert "no-store" in page.headers["Cache-Control"]
    token = page.data.decode().partition('name="token" value="')[2].partition('"')[0]
    harness.clock.advance(seconds=3)
    fields = {"email": " Ada@Example.org ", "name": "Ada", "token": token, "website": ""}
    assert server.post("/subscribe", fields=fields).status == 200
    assert harness.list_emails() == [("Ada@example.org", "ready")]


def configure(monkeypatch: pytest.MonkeyPatch, harness: Any, **signup: Any) -> None:
    """Change settings of the sign-up."""
    config = harness.site.config
    changed = config.model_copy(update={"signup": config.signup.model_copy(update=signup)})
    monkeypatch.setattr(Site, "config", changed)


def test_page_gives_reasons_as_configured(
    harness: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = server.get("/subscribe").data.decode()
    assert "<ul" not in page
    assert 'id="name"' in page
    assert "We use your address only to send you Harbour Notes." in page
    with harness.site.engine.begin() as connection:
        for number in range(135):
            address = parse_address(f"reader{number}@example.org")
            changes.subscribe(connection, address, "active", ChangeOrigin(harness.clock(), "cli"))
    configure(monkeypatch, harness, frequency="Every <b>Tuesday", show_readers=True, ask_name=False)
    assert "readers" not in server.get("/subscribe").data.decode(), "they are counted once a minute"
    harness.clock.advance(seconds=60)
    page = server.get("/subscribe").data.decode()
    assert "<li>Every &lt;b&gt;Tuesday</li>" in page
    assert "<li>More than 130 readers</li>" in page
    assert 'id="name"' not in page
    refused = server.post("/subscribe", fields=harness.make_fields("a@b.org", name="A" * 101))
    assert b'role="alert"' in refused.data, "no field to show it at"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, 0), (1, 0), (100, 0), (101, 100), (110, 100), (111, 110), (999, 990), (1_000, 990),
     (1_001, 1_000), (1_234, 1_200), (12_345, 12_000), (1_000_001, 1_000_000)],
)  # fmt: skip
def test_number_of_readers_is_calm_and_exceeded(count: int, shown: int) -> None:
    assert round_down(count) == shown


def test_input_is_shown_again_escaped(harness: Any, server: Any) -> None:
    fields = harness.make_fields('"><script>alert(1)</script>', name="<b>Ada</b>")
    page = server.post("/subscribe", fields=fields)
    assert page.status == 422
    assert b"<script>" not in page.data
    assert b"<b>" not in page.data
    assert b"&lt;b&gt;Ada" in page.data
    assert harness.list_emails() == []


def test_form_without_a_token_is_shown_again(harness: Any, server: Any) -> None:
    page = server.post("/subscribe", fields={"email": "ada@example.org"})
    assert page.status == 200
    assert b'value="ada@example.org"' in page.data
    assert b'name="token" value="' in page.data
    assert harness.list_emails() == []


@pytest.mark.parametrize("way", ["form", "json"])
@pytest.mark.parametrize(
    ("invalid", "status"),
    [
        ({"token": "x"}, 422),
        ({"token": "x.y.z"}, 422),
        ({"email": ""}, 422),
        ({"email": "ada"}, 422),
        ({"email": "a@b@c.org"}, 422),
        ({"email": "x" * 300 + "@example.org"}, 422),
        ({"email": "ada@example.org, b@c.org"}, 422),
        ({"name": "A" * 101}, 422),
    ],
)
def test_invalid_fields_are_reported_and_change_nothing(
    harness: Any, server: Any, way: str, invalid: dict[str, str], status: int
) -> None:
    fields = {**harness.make_fields("ada@example.org"), **invalid}
    if way == "form":
        response = server.post("/subscribe", fields=fields)
        page = response.data.decode()
        invalid_field = re.search(r'<input id="(\w+)"[^>]* aria-invalid="true"([^>]*)>', page)
        if "token" in invalid:
            assert 'role="alert"' in page
            assert invalid_field is None
        else:
            assert invalid_field
            name = invalid_field[1]
            assert name in invalid
            assert f'aria-describedby="{name}-wrong" autofocus' in invalid_field[2]
            assert f'id="{name}-wrong">' in page
            assert f'value="{invalid[name]}"' in invalid_field[0], "what was entered is kept"
    else:
        response = post_json(server, fields)
        assert json.loads(response.data)["error"]
    assert response.status == status
    assert harness.list_emails() == []


def test_form_token_is_refused_too_early_and_when_expired(harness: Any, server: Any) -> None:
    token = make_form_token(harness.site)
    fields = {"email": "ada@example.org", "token": token}
    assert server.post("/subscribe", fields=fields).status == 422
    harness.clock.advance(seconds=1.9)
    early = server.post("/subscribe", fields=fields)
    assert early.status == 422
    assert token.encode() in early.data, "submitting again later works"
    harness.clock.advance(hours=24, seconds=1)
    late = server.post("/subscribe", fields=fields)
    assert late.status == 422
    assert token.encode() not in late.data, "the page has a new one"
    assert harness.list_emails() == []


def test_form_token_from_the_future_or_for_another_purpose_is_refused(
    harness: Any, server: Any
) -> None:
    harness.clock.advance(hours=2)
    future = make_form_token(harness.site)
    harness.clock.advance(hours=-2)
    other = harness.site.signer("confirm").dumps(1)
    for token in (future, other):
        fields = {"email": "ada@example.org", "token": token}
        assert server.post("/subscribe", fields=fields).status == 422
    assert harness.list_emails() == []


def test_form_can_be_replayed_a_few_times(harness: Any, server: Any) -> None:
    fields = harness.make_fields("")
    statuses = [
        server.post("/subscribe", fields={**fields, "email": f"r{number}@example.org"}).status
        for number in range(7)
    ]
    assert statuses == [200] * 5 + [422] * 2


def test_honeypot_submissions_get_the_same_response_but_are_ignored(
    harness: Any, server: Any
) -> None:
    caught = server.post("/subscribe", fields=harness.make_fields("ada@example.org", website="x"))
    genuine = server.post("/subscribe", fields=harness.make_fields("bob@example.org"))
    assert (caught.status, caught.data) == (genuine.status, genuine.data)
    assert harness.list_emails() == [("bob@example.org", "ready")]


@pytest.mark.parametrize(
    ("body", "content_type", "statuses"),
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
def test_malformed_json_is_refused(
    harness: Any, server: Any, body: bytes, content_type: str, statuses: set[int]
) -> None:
    response = server.post("/api/subscribe", body=body, **{"Content-Type": content_type})
    assert response.status in statuses
    assert harness.list_emails() == []


@pytest.mark.parametrize(
    ("body", "content_type", "statuses"),
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
def test_malformed_form_is_refused(
    harness: Any, server: Any, body: bytes, content_type: str | None, statuses: set[int]
) -> None:
    token = f"&token={harness.make_token()}".encode() if body.startswith(b"email") else b""
    content_type = content_type or "application/x-www-form-urlencoded"
    response = server.post("/subscribe", body=body + token, **{"Content-Type": content_type})
    assert response.status in statuses
    assert harness.list_emails() == []


CORS_SETTINGS = {"public": {"cors_origins": ("https://harbour-notes.org",)}}


@pytest.mark.parametrize("settings", [CORS_SETTINGS])
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
def test_only_configured_origins_may_use_the_api(
    harness: Any, server: Any, origin: str, *, allowed: bool
) -> None:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = server.request("OPTIONS", "/api/subscribe", **headers)
    token = server.get("/api/form-token", Origin=origin)
    harness.clock.advance(seconds=3)
    fields = {"email": "ada@example.org", "token": json.loads(token.data)["token"]}
    response = post_json(server, fields, Origin=origin)
    invalid = post_json(server, {}, Origin=origin)
    for cors_response in (preflight, token, response, invalid):
        assert cors_response.headers.get("Access-Control-Allow-Origin") == (
            origin if allowed else None
        )
        assert "Origin" in cors_response.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in cors_response.headers
    assert (preflight.status == 200) is allowed
    assert (response.status == 202) is allowed, "other origins are refused"
    assert len(harness.list_emails()) == allowed
    with harness.site.engine.begin() as connection:
        data = connection.scalar(sa.select(transactional_email.c.data))
    assert (data and data["source"]) == (f"/api/subscribe {origin}" if allowed else None)


def test_consent_wording_is_recorded_as_shown(harness: Any, server: Any) -> None:
    shown = json.loads(server.get("/api/form-token").data)["wording"]
    assert shown in server.get("/subscribe").data.decode()
    server.post("/subscribe", fields=harness.make_fields("ada@example.org"))
    with harness.site.engine.begin() as connection:
        assert connection.scalar(sa.select(transactional_email.c.data))["wording"] == shown


def test_snippet_links_to_this_site_only(server: Any) -> None:
    page = server.get("/embed").data.decode()
    assert "https://news.harbour-notes.org/subscribe" in page
    assert "https://news.harbour-notes.org/assets/subscribe.js" in page
    script = server.get("/assets/subscribe.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert b"://" not in script.data, "the script contacts no other host"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(["email", "name", "token", "website", "again"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(FIELDS, VALUES) | VALUES | st.binary(max_size=60))
def test_any_json_is_handled_without_error(server: Any, data: Any) -> None:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    response = server.post("/api/subscribe", body=body, **JSON)
    assert response.status < 500
    json.loads(response.data)


def test_mailboxes_and_networks_are_normalized() -> None:
    spellings = ("a.da+x@gmail.com", "A.D.A@googlemail.com", "ada@gmail.com")
    assert {normalize_mailbox(parse_address(spelling)) for spelling in spellings} == {
        "ada@gmail.com"
    }
    assert normalize_mailbox(parse_address("a.da+x@example.org")) == "a.da@example.org"
    assert normalize_mailbox(parse_address("+x@example.org")) == "+x@example.org"
    assert (
        normalize_ip("2001:db8:1:2::9") == normalize_ip("2001:db8:1:2:3::1") == "2001:db8:1:2::/64"
    )
    assert normalize_ip("::ffff:192.0.2.1") == normalize_ip("192.0.2.1") == "192.0.2.1"
    assert normalize_ip("a socket") == "a socket"
