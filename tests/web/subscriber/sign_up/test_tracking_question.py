"""The question about tracking: in the sign-up form, in its confirmation, in the preferences."""

import html
import json
import re
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.config.tracking import TrackingOptions
from newsletter.db.schema import subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal
from newsletter.subscribers.consent.tracking_answers import TrackingAnswers, load_tracking_answers
from newsletter.web.site_context import Site, utc_now

ADA = parse_address("ada@example.org")
BOTH = "which emails I open and which links I click"
ASKS: dict[str, Any] = {"opens": "ask", "clicks": "ask"}


def configure(monkeypatch: pytest.MonkeyPatch, site: Site, **tracking: Any) -> None:
    options = TrackingOptions.model_validate(tracking)
    config = site.config.model_copy(update={"tracking": options})
    monkeypatch.setattr(Site, "config", config)


def read_confirm_form(server: Any, harness: Any) -> dict[str, str]:
    """Return what the button behind the confirmation link sends."""
    page = html.unescape(server.get(harness.confirm_path()).data.decode())
    form = page.split('<form method="post">')[1].split("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]+)"', form))


def load_answers(site: Site) -> TrackingAnswers:
    with site.engine.begin() as connection:
        id_ = connection.scalars(sa.select(subscriber.c.id)).one_or_none()
        return load_tracking_answers(connection, id_) if id_ else {}


@pytest.mark.parametrize(
    ("tracking", "label"),
    [
        ({}, None),
        ({"opens": "all"}, None),
        (ASKS, BOTH),
        ({"opens": "ask"}, "which emails I open, to"),
        ({"opens": "all", "clicks": "ask"}, "which links I click, to"),
        ({"opens": "ask", "wording": "You may see what I open."}, "You may see what I open."),
    ],
)
def test_form_names_what_is_recorded(
    site: Site,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    tracking: dict[str, Any],
    label: str | None,
) -> None:
    configure(monkeypatch, site, **tracking)
    page = html.unescape(server.get("/subscribe").data.decode())
    box = re.search(r'<input type="checkbox" name="tracking" value="yes"(.*?)>(.*?)</label>', page)
    snippet = html.unescape(server.get("/embed").data.decode())
    question = json.loads(server.get("/api/form-token").data)["tracking"]
    if label is None:
        assert box is None
        assert 'name="tracking"' not in snippet
        assert question is None
        return
    assert box
    assert box[1] == "", "the box is not ticked"
    assert label in box[2]
    assert label in snippet
    assert label in question["wording"]


@pytest.mark.parametrize("way", ["page", "api"])
@pytest.mark.parametrize(
    ("tracking", "fields", "answers"),
    [
        (
            ASKS,
            {"tracking": "yes", "tracking_asked": "opens clicks"},
            {"opens": True, "clicks": True},
        ),
        (ASKS, {"tracking_asked": "opens clicks"}, {"opens": False, "clicks": False}),
        ({"clicks": "ask"}, {"tracking": "yes", "tracking_asked": "clicks"}, {"clicks": True}),
        # The form didn't ask, or asked something else: an earlier snippet on another site.
        (ASKS, {}, {}),
        (ASKS, {"tracking": "yes"}, {}),
        (ASKS, {"tracking": "yes", "tracking_asked": "opens"}, {}),
        ({}, {"tracking": "yes", "tracking_asked": "opens clicks"}, {}),
        ({"opens": "all"}, {"tracking": "yes", "tracking_asked": "opens"}, {}),
    ],
)
def test_answer_is_recorded_with_its_wording_when_the_mailbox_confirms(
    site: Site,
    harness: Any,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    tracking: dict[str, Any],
    fields: dict[str, str],
    answers: TrackingAnswers,
    way: str,
) -> None:
    configure(monkeypatch, site, **tracking)
    form = harness.make_fields(ADA.address, **fields)
    if way == "page":
        assert server.post("/subscribe", fields=form).status == 200
    else:
        body, content_type = json.dumps(form).encode(), {"Content-Type": "application/json"}
        assert server.post("/api/subscribe", body, **content_type).status == 202
    assert harness.send_emails() == [ADA.address]
    assert load_answers(site) == {}, "a stranger may have filled in the form"
    fields = read_confirm_form(server, harness)
    assert ("tracking" in fields) == (True in answers.values()), "what is confirmed is shown"
    assert server.post(harness.confirm_path(), fields=fields).status == 200
    assert load_answers(site) == answers
    with site.engine.begin() as connection:
        entries = load_journal(connection, 1)[2:]
    assert len(entries) == len(answers)
    for entry in entries:
        assert (entry.method, entry.source) == ("form", "/confirm")
        assert entry.wording.startswith("Yes, Harbour Notes may record which ")


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"tracking_asked": "opens clicks"}, {"opens": False, "clicks": False}),
        # A page of the project's own, of before readers were asked; or one for another question.
        ({}, {}),
        ({"tracking": "yes"}, {}),
        ({"tracking": "yes", "tracking_asked": "opens"}, {}),
    ],
)
def test_owner_of_the_mailbox_decides_about_what_a_stranger_has_ticked(
    site: Site,
    harness: Any,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, str],
    answers: TrackingAnswers,
) -> None:
    configure(monkeypatch, site, **ASKS)
    form = harness.make_fields(ADA.address, tracking="yes", tracking_asked="opens clicks")
    assert server.post("/subscribe", fields=form).status == 200
    assert harness.send_emails() == [ADA.address]
    shown = read_confirm_form(server, harness)
    assert shown == {"yes": "yes", "tracking": "yes", "tracking_asked": "opens clicks"}
    assert server.post(harness.confirm_path(), fields={"yes": "yes", **fields}).status == 200
    assert harness.status(ADA.address) == "active"
    assert load_answers(site) == answers


def test_confirmation_agrees_to_nothing_that_it_did_not_show(
    site: Site, harness: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, site, **ASKS)
    form = harness.make_fields(ADA.address, tracking_asked="opens clicks")
    assert server.post("/subscribe", fields=form).status == 200
    assert harness.send_emails() == [ADA.address]
    fields = {"yes": "yes", "tracking": "yes", "tracking_asked": "opens clicks"}
    assert server.post(harness.confirm_path(), fields=fields).status == 200
    assert load_answers(site) == {"opens": False, "clicks": False}


def test_form_changes_nothing_for_an_active_address(
    site: Site, harness: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, site, **ASKS)
    with site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", ChangeOrigin(utc_now(), "cli"))
    fields = harness.make_fields(ADA.address, tracking="yes", tracking_asked="opens clicks")
    assert server.post("/subscribe", fields=fields).status == 200
    assert harness.send_emails() == []
    assert load_answers(site) == {}


def test_form_without_double_opt_in_does_not_ask(
    site: Site, harness: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signup = site.config.signup.model_copy(update={"double_opt_in": False})
    options = TrackingOptions(opens="ask")
    config = site.config.model_copy(update={"tracking": options, "signup": signup})
    monkeypatch.setattr(Site, "config", config)
    assert b'name="tracking"' not in server.get("/subscribe").data
    fields = harness.make_fields(ADA.address, tracking="yes", tracking_asked="opens")
    server.post("/subscribe", fields=fields)
    harness.send_emails()
    assert load_answers(site) == {}


def submit(server: Any, token: str, answer: str) -> str:
    """Press a button of the form in the preferences; return the page that follows."""
    page = server.get(f"/p/{token}").data.decode()
    form = page.split('aria-labelledby="tracking"')[1].split("</form>")[0]
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', form))
    fields = {name: html.unescape(value) for name, value in fields.items()}
    response = server.post(f"/p/{token}", fields={**fields, "tracking": answer})
    assert response.status == 200
    text: str = response.data.decode()
    return text


def test_answer_is_shown_and_changed_in_the_preferences(
    site: Site, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", ChangeOrigin(utc_now(), "cli"))
        token = connection.scalars(sa.select(subscriber.c.token)).one()
    assert b'aria-labelledby="tracking"' not in server.get(f"/p/{token}").data
    configure(monkeypatch, site, **ASKS)
    page = server.get(f"/p/{token}").data.decode()
    assert "You haven&#39;t agreed to this, so it isn&#39;t recorded." in page
    assert BOTH in page
    assert "You&#39;ve agreed to this." in submit(server, token, "yes")
    assert load_answers(site) == {"opens": True, "clicks": True}
    assert "You haven&#39;t agreed to this" in submit(server, token, "no")
    assert load_answers(site) == {"opens": False, "clicks": False}
    with site.engine.begin() as connection:
        entries = load_journal(connection, 1)[1:]
    assert [entry.change for entry in entries] == [
        "opens_allowed",
        "clicks_allowed",
        "opens_refused",
        "clicks_refused",
    ]
    assert {entry[3:5] for entry in entries} == {("form", "/p")}
    assert all(BOTH in entry.wording for entry in entries)


@pytest.mark.parametrize(
    "fields",
    [
        {"tracking": "yes"},
        {"tracking": "yes", "tracking_asked": "opens"},
        {"tracking_asked": "opens clicks"},
        {"tracking": "maybe", "tracking_asked": "opens clicks"},
    ],
)
def test_odd_answer_in_the_preferences_changes_nothing(
    site: Site, server: Any, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str]
) -> None:
    configure(monkeypatch, site, **ASKS)
    with site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", ChangeOrigin(utc_now(), "cli"))
        token = connection.scalars(sa.select(subscriber.c.token)).one()
    page = server.get(f"/p/{token}").data.decode()
    signed = html.unescape(re.findall(r'name="signed" value="([^"]+)"', page)[0])
    response = server.post(f"/p/{token}", fields={"do": "tracking", "signed": signed, **fields})
    assert response.status == 422
    assert load_answers(site) == {}
