"""Preferences page: name, tags, pause, new address."""

import datetime
import html
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.config.tracking import TrackingOptions
from newsletter.db import read_transaction
from newsletter.db.schema import (
    address_change,
    journal,
    subscriber,
    subscriber_tag,
    transactional_email,
)
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.preferences import set_chosen_tags
from newsletter.subscribers.topics import load_opt_outs
from newsletter.web.site_context import Site, utc_now

NEW_ADDRESS = "ada.new@elsewhere.example"
TABLES = (subscriber, subscriber_tag, journal, transactional_email, address_change)


def load_subscriber(site: Site) -> Any:
    with read_transaction(site.engine) as connection:
        return connection.execute(sa.select(subscriber).order_by(subscriber.c.id)).first()


def load_rows(site: Site) -> list[Any]:
    with read_transaction(site.engine) as connection:
        return [connection.execute(sa.select(table)).all() for table in TABLES]


def get_hidden_fields(server: Any, token: str, heading: str) -> dict[str, str]:
    """The hidden fields of the form under a heading."""
    page = server.get(f"/p/{token}").data.decode()
    form = page.split(f'aria-labelledby="{heading}"')[1].split("</form>")[0]
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', form)
    assert fields
    return {name: html.unescape(value) for name, value in fields}


def submit(server: Any, token: str, heading: str, **fields: str) -> Any:
    return server.post(
        f"/p/{token}", fields={**get_hidden_fields(server, token, heading), **fields}
    )


def test_page_is_not_cached_or_indexed_and_changes_nothing(
    site: Site, server: Any, token: str
) -> None:
    before = load_rows(site)
    for method in ("GET", "HEAD"):
        page = server.request(method, f"/p/{token}")
        assert page.status == 200
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Robots-Tag"] == "noindex"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in page.headers
    assert load_rows(site) == before


def test_topics_that_the_form_has_shown_are_saved(
    site: Site, server: Any, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offer(**topics: str) -> None:
        preferences = site.config.preferences.model_copy(update={"topics": topics})
        config = site.config.model_copy(update={"preferences": preferences})
        monkeypatch.setattr(Site, "config", config)

    def opted_out() -> list[str]:
        with read_transaction(site.engine) as connection:
            key = load_subscriber(site).address_key
            return [opt_out.topic for opt_out in load_opt_outs(connection, key)]

    offer(weekly="Every week", events="Invitations <now>")
    page = server.get(f"/p/{token}").data.decode()
    assert page.count(" checked>") == 2
    assert "Invitations &lt;now&gt;" in page
    fields = get_hidden_fields(server, token, "topics")
    offer(weekly="Every week", events="Invitations", added="Since then")
    response = server.post(f"/p/{token}", fields={**fields, "topic-events": "yes"})
    assert response.status == 200
    assert opted_out() == ["weekly"]
    assert response.data.decode().count(" checked>") == 2
    offer(Weekly="Another spelling")
    assert " checked>" not in server.get(f"/p/{token}").data.decode()
    server.post(f"/p/{token}", fields={**fields, "topics": "weekly", "topic-weekly": "yes"})
    assert opted_out() == [], "the page was opened before"
    server.post(f"/p/{token}", fields={**fields, "topics": "forged"})
    assert opted_out() == []


def test_name_and_offered_tags_are_saved(
    site: Site, server: Any, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {"weekly": "Every week", "press": "For the press"}
    preferences = site.config.preferences.model_copy(update={"tags": tags})
    config = site.config.model_copy(update={"preferences": preferences})
    monkeypatch.setattr(Site, "config", config)
    with site.engine.begin() as connection:
        set_chosen_tags(
            connection,
            load_subscriber(site).id,
            ["harbour-patron", "Weekly"],
            ["harbour-patron", "Weekly"],
        )
    assert b"checked" in server.get(f"/p/{token}").data
    assert b"Every week" in server.get(f"/p/{token}").data
    assert b"harbour-patron" not in server.get(f"/p/{token}").data
    assert submit(server, token, "topics", tag1="yes").status == 200
    response = submit(server, token, "you", name="Ada <b>L</b>")
    assert response.status == 200
    assert b"Ada &lt;b&gt;L" in response.data
    assert load_subscriber(site).name == "Ada <b>L</b>"
    with read_transaction(site.engine) as connection:
        select_tags = sa.select(subscriber_tag.c.tag).order_by(subscriber_tag.c.tag)
        assert connection.scalars(select_tags).all() == ["harbour-patron", "press"]


@pytest.mark.parametrize(("choice", "days"), [("week", 7), ("month", 30), ("quarter", 91)])
def test_pause_and_resume(site: Site, server: Any, token: str, choice: str, days: int) -> None:
    assert submit(server, token, "pause", **{"for": choice}).status == 200
    paused = load_subscriber(site).paused_until - utc_now()
    assert datetime.timedelta(days=days - 1) < paused <= datetime.timedelta(days=days)
    assert load_subscriber(site).status == "active"
    assert submit(server, token, "pause", **{"for": "none"}).status == 200
    assert load_subscriber(site).paused_until is None


def test_pause_until_a_date(site: Site, server: Any, token: str) -> None:
    day = utc_now().date() + datetime.timedelta(days=40)
    assert submit(server, token, "pause", until=day.isoformat(), **{"for": "date"}).status == 200
    assert abs(load_subscriber(site).paused_until.date() - day) <= datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("pause", {"for": "date", "until": "2020-01-01"}),
        ("pause", {"for": "date", "until": "9999-12-31"}),
        ("pause", {"for": "date", "until": "tomorrow"}),
        ("pause", {}),
        ("you", {"name": "a" * 101}),
        ("you", {"name": "\u202eAda"}),
        ("move", {"email": "nobody"}),
        ("move", {}),
    ],
)
def test_invalid_fields_are_rejected(
    site: Site, server: Any, token: str, heading: str, fields: dict[str, str]
) -> None:
    before = load_rows(site)
    response = submit(server, token, heading, **fields)
    assert response.status == 422
    assert response.data.count(b'aria-invalid="true" aria-describedby="') == 1
    assert response.data.count(b" autofocus") == 1
    for typed in (fields.get("name"), fields.get("email")):
        assert not typed or f'value="{typed}"'.encode() in response.data
    assert load_rows(site) == before


def test_page_is_in_the_order_of_use(
    site: Site, server: Any, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences = site.config.preferences.model_copy(update={"topics": {"weekly": "Weekly"}})
    updates = {"preferences": preferences, "tracking": TrackingOptions(opens="ask", clicks="ask")}
    monkeypatch.setattr(Site, "config", site.config.model_copy(update=updates))
    page = server.get(f"/p/{token}").data.decode()
    order = ["topics", "pause", "you", "move", "tracking", "data", "erase", "leave"]
    assert re.findall(r'<h2 id="(\w+)"', page) == order


def test_one_form_of_own_pages_saves_name_and_tags(
    site: Site, server: Any, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences = site.config.preferences.model_copy(update={"tags": {"press": "Press"}})
    config = site.config.model_copy(update={"preferences": preferences})
    monkeypatch.setattr(Site, "config", config)
    submit(server, token, "you", do="save", name="Ada", tag0="yes")
    assert load_subscriber(site).name == "Ada"
    with read_transaction(site.engine) as connection:
        assert connection.scalars(sa.select(subscriber_tag.c.tag)).all() == ["press"]


def test_unsubscribe_button_unsubscribes_and_pause_is_offered_instead(
    site: Site, server: Any, token: str
) -> None:
    page = server.get(f"/p/{token}").data.decode()
    [signed] = re.findall(r'form="leave-form" name="leave" value="([^"]+)"', page)
    last = page.split('id="leave"')[1]
    assert 'name="for" value="quarter"' in last
    assert server.post(f"/u/{token}", fields={"leave": html.unescape(signed)}).status == 200
    assert load_subscriber(site).status == "unsubscribed"
    assert 'id="leave"' not in server.get(f"/p/{token}").data.decode()


@pytest.fixture
def eastern_zone(project_folder: Path) -> None:
    """Midnight of the configured zone is before midnight UTC."""
    with (project_folder / "newsletter.yml").open("a") as config:
        config.write("timezone: Pacific/Auckland\n")


@pytest.mark.usefixtures("eastern_zone")
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_first_and_last_day_of_all_are_rejected(server: Any, token: str, day: str) -> None:
    response = submit(server, token, "pause", until=day, **{"for": "date"})
    assert response.status == 422


def test_forged_forms_are_refused(site: Site, server: Any, token: str) -> None:
    before = load_rows(site)
    valid = get_hidden_fields(server, token, "erase")
    for forged in (
        {"signed": ""},
        {"signed": "x.y.z"},
        {"signed": site.signer("preferences").dumps("another-token")},
        {"signed": site.signer("leave").dumps(token)},
        {"signed": valid["signed"][:-3] + "AAA"},
        {"do": "anything"},
        {"do": ""},
    ):
        fields = {**valid, **forged}
        assert server.post(f"/p/{token}", fields=fields).status == 400
    assert load_rows(site) == before


@pytest.mark.parametrize("status", ["unsubscribed", "pending"])
def test_inactive_subscribers_see_the_sign_up_link_and_change_nothing(
    site: Site, server: Any, token: str, status: str
) -> None:
    hidden_fields = get_hidden_fields(server, token, "pause")
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status=status))
    page = server.get(f"/p/{token}")
    assert b"/subscribe" in page.data
    assert b'name="for"' not in page.data
    before = load_rows(site)
    fields = {**hidden_fields, "for": "week"}
    assert server.post(f"/p/{token}", fields=fields).status == 422
    assert load_rows(site) == before


def load_move_emails(site: Site) -> dict[str, Any]:
    """The emails about an address change: address -> data."""
    with read_transaction(site.engine) as connection:
        rows = connection.execute(
            sa.select(transactional_email).where(transactional_email.c.kind.like("move%"))
        )
        return {row.address_key: row.data for row in rows}


def get_move_path(email_data: dict[str, str]) -> str:
    return "/move/" + email_data["url"].rpartition("/")[2]


@pytest.mark.parametrize("first", ["old", "new"])
def test_address_change_needs_both_confirmations(
    site: Site, server: Any, token: str, first: str
) -> None:
    old = load_subscriber(site).address_key
    assert submit(server, token, "move", email=NEW_ADDRESS).status == 200
    emails = load_move_emails(site)
    assert emails.keys() == {old, NEW_ADDRESS}
    paths = [get_move_path(emails[old]), get_move_path(emails[NEW_ADDRESS])]
    if first == "new":
        paths.reverse()
    before = load_rows(site)
    for path in paths:
        for method in ("GET", "HEAD"):
            assert server.request(method, path).status == 200
        assert server.post(path, fields={}).status == 200, "an empty form confirms nothing"
    assert load_rows(site) == before
    for _ in range(2):
        assert server.post(paths[0], fields={"yes": "yes"}).status == 200
        assert load_subscriber(site).address_key == old
    assert server.post(paths[1], fields={"yes": "yes"}).status == 200
    changed = load_subscriber(site)
    assert (changed.address, changed.token, changed.status) == (NEW_ADDRESS, token, "active")
    for path in paths:
        assert server.get(path).status == 410
        assert server.post(path, fields={"yes": "yes"}).status == 410


def test_response_does_not_reveal_who_is_on_the_list(site: Site, server: Any, token: str) -> None:
    old = load_subscriber(site).address_key
    with site.engine.begin() as connection:
        origin = ChangeOrigin(utc_now(), "form")
        changes.subscribe(connection, parse_address(NEW_ADDRESS), "active", origin)
    taken = submit(server, token, "move", email=NEW_ADDRESS)
    assert load_move_emails(site).keys() == {old}, "subscribers get no email about it"
    with site.engine.begin() as connection:
        connection.execute(sa.delete(transactional_email))
        connection.execute(sa.delete(address_change))
    free = submit(server, token, "move", email="free@elsewhere.example")
    assert taken.status == free.status == 200
    values = re.compile(rb'value="[^"]*"')
    assert values.sub(b"", taken.data) == values.sub(b"", free.data)


def test_address_taken_in_the_meantime_is_not_changed(site: Site, server: Any, token: str) -> None:
    old = load_subscriber(site).address_key
    submit(server, token, "move", email=NEW_ADDRESS)
    emails = load_move_emails(site)
    with site.engine.begin() as connection:
        origin = ChangeOrigin(utc_now(), "form")
        changes.subscribe(connection, parse_address(NEW_ADDRESS), "active", origin)
    assert server.post(get_move_path(emails[old]), fields={"yes": "yes"}).status == 200
    assert server.post(get_move_path(emails[NEW_ADDRESS]), fields={"yes": "yes"}).status == 410
    assert load_subscriber(site).address_key == old


def test_address_change_emails_are_limited(site: Site, server: Any, token: str) -> None:
    assert submit(server, token, "move", email=NEW_ADDRESS).status == 200
    assert submit(server, token, "move", email=NEW_ADDRESS).status == 200
    assert submit(server, token, "move", email="other@elsewhere.example").status == 422
    assert len(load_move_emails(site)) == 2


def test_forged_address_change_links_are_refused(site: Site, server: Any, token: str) -> None:
    submit(server, token, "move", email=NEW_ADDRESS)
    path = get_move_path(load_move_emails(site)[NEW_ADDRESS])
    flipped = "A" if path[-9] != "A" else "B"
    forged = [f"{path[:-9]}{flipped}{path[-8:]}", "/move/x", "/move/a.b.c"]
    forged.append(
        "/move/" + site.signer("confirm").dumps([load_subscriber(site).id, NEW_ADDRESS, "from"])
    )
    for link in forged:
        assert server.get(link).status == 410
        assert server.post(link, fields={"yes": "yes"}).status == 410
    with read_transaction(site.engine) as connection:
        change = connection.execute(sa.select(address_change)).one()
    assert (change.old_confirmed_at, change.new_confirmed_at) == (None, None)
