"""A reader's own page: each form does its one thing, and nobody else's."""

import datetime
import html
import json
import re
from typing import Any

import pytest
import sqlalchemy as sa

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
from newsletter.web.site_context import Site, utc_now

NEW = "ada.new@elsewhere.example"
TABLES = (subscriber, subscriber_tag, journal, transactional_email, address_change)


@pytest.fixture
def token(site: Site) -> str:
    """Of the only reader."""
    ada = parse_address("Ada.Lovelace@example.org")
    with site.engine.begin() as connection:
        changes.subscribe(connection, ada, "active", ChangeOrigin(utc_now(), "form", "/subscribe"))
        found: str = connection.scalars(sa.select(subscriber.c.token)).one()
    return found


def row(site: Site) -> Any:
    with read_transaction(site.engine) as connection:
        return connection.execute(sa.select(subscriber).order_by(subscriber.c.id)).first()


def stored(site: Site) -> list[Any]:
    with read_transaction(site.engine) as connection:
        return [connection.execute(sa.select(table)).all() for table in TABLES]


def carried(server: Any, token: str, heading: str) -> dict[str, str]:
    """What the form under a heading carries."""
    page = server.get(f"/p/{token}").data.decode()
    form = page.split(f'aria-labelledby="{heading}"')[1].split("</form>")[0]
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', form)
    assert len(found) == 2
    return {name: html.unescape(value) for name, value in found}


def send(server: Any, token: str, heading: str, **fields: str) -> Any:
    return server.post(f"/p/{token}", fields={**carried(server, token, heading), **fields})


def test_the_page_is_for_nobody_else(site: Site, server: Any, token: str) -> None:
    before = stored(site)
    for method in ("GET", "HEAD"):
        page = server.request(method, f"/p/{token}")
        assert page.status == 200
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Robots-Tag"] == "noindex"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in page.headers
    assert stored(site) == before


def test_name_and_tags(
    site: Site, server: Any, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {"weekly": "Every week", "press": "For the press"}
    preferences = site.config.preferences.model_copy(update={"tags": tags})
    config = site.config.model_copy(update={"preferences": preferences})
    monkeypatch.setattr(Site, "config", config)
    with site.engine.begin() as connection:
        set_chosen_tags(
            connection, row(site).id, ["harbour-patron", "weekly"], ["harbour-patron", "weekly"]
        )
    assert b"Every week" in server.get(f"/p/{token}").data
    assert b"harbour-patron" not in server.get(f"/p/{token}").data
    answer = send(server, token, "you", name="Ada <b>L</b>", tag1="yes")
    assert answer.status == 200
    assert b"Ada &lt;b&gt;L" in answer.data
    assert row(site).name == "Ada <b>L</b>"
    with read_transaction(site.engine) as connection:
        has = sa.select(subscriber_tag.c.tag).order_by(subscriber_tag.c.tag)
        assert connection.scalars(has).all() == ["harbour-patron", "press"]


@pytest.mark.parametrize(("choice", "days"), [("week", 7), ("month", 30), ("quarter", 91)])
def test_a_pause_and_its_end(site: Site, server: Any, token: str, choice: str, days: int) -> None:
    assert send(server, token, "pause", **{"for": choice}).status == 200
    paused = row(site).paused_until - utc_now()
    assert datetime.timedelta(days=days - 1) < paused <= datetime.timedelta(days=days)
    assert row(site).status == "active"
    assert send(server, token, "pause", **{"for": "none"}).status == 200
    assert row(site).paused_until is None


def test_a_pause_until_a_day(site: Site, server: Any, token: str) -> None:
    day = utc_now().date() + datetime.timedelta(days=40)
    assert send(server, token, "pause", until=day.isoformat(), **{"for": "date"}).status == 200
    assert abs(row(site).paused_until.date() - day) <= datetime.timedelta(days=1)


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
        ("erase", {}),
        ("erase", {"sure": "no"}),
    ],
)
def test_what_can_not_be_changes_nothing(
    site: Site, server: Any, token: str, heading: str, fields: dict[str, str]
) -> None:
    before = stored(site)
    answer = send(server, token, heading, **fields)
    assert answer.status == 422
    assert b'role="alert"' in answer.data
    assert stored(site) == before


def test_a_form_that_this_page_did_not_make(site: Site, server: Any, token: str) -> None:
    before = stored(site)
    good = carried(server, token, "erase")
    for odd in (
        {"signed": ""},
        {"signed": "x.y.z"},
        {"signed": site.signer("preferences").dumps("another-token")},
        {"signed": site.signer("leave").dumps(token)},
        {"signed": good["signed"][:-3] + "AAA"},
        {"do": "anything"},
        {"do": ""},
    ):
        fields = {**good, "sure": "yes", **odd}
        assert server.post(f"/p/{token}", fields=fields).status == 400
    assert stored(site) == before


def test_my_data(site: Site, server: Any, token: str) -> None:
    answer = send(server, token, "data")
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == "no-store"
    data = json.loads(answer.data)
    assert data["address"] == row(site).address
    assert data["journal"][0]["change"] == "subscribed"
    assert token not in answer.data.decode(), "the token is a secret of their links"


def test_erase_me(site: Site, server: Any, token: str) -> None:
    assert send(server, token, "erase", sure="yes").status == 200
    assert row(site) is None
    assert server.get(f"/p/{token}").status == 404


@pytest.mark.parametrize("status", ["unsubscribed", "pending"])
def test_whoever_is_out_is_told_the_way_back_and_may_still_be_forgotten(
    site: Site, server: Any, token: str, status: str
) -> None:
    pausing = carried(server, token, "pause")
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status=status))
    page = server.get(f"/p/{token}")
    assert b"/subscribe" in page.data
    assert b'name="for"' not in page.data
    before = stored(site)
    fields = {**pausing, "for": "week"}
    assert server.post(f"/p/{token}", fields=fields).status == 422
    assert stored(site) == before
    assert send(server, token, "erase", sure="yes").status == 200
    assert row(site) is None


def owed(site: Site) -> dict[str, Any]:
    """The letters about a move: address -> what it needs."""
    with read_transaction(site.engine) as connection:
        rows = connection.execute(
            sa.select(transactional_email).where(transactional_email.c.kind.like("move%"))
        )
        return {one.address_key: one.data for one in rows}


def path_of(letter: dict[str, str]) -> str:
    return "/move/" + letter["url"].rpartition("/")[2]


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_move_needs_both(site: Site, server: Any, token: str, first: str) -> None:
    old = row(site).address_key
    assert send(server, token, "move", email=NEW).status == 200
    letters = owed(site)
    assert letters.keys() == {old, NEW}
    paths = [path_of(letters[old]), path_of(letters[NEW])]
    if first == "new":
        paths.reverse()
    before = stored(site)
    for path in paths:
        for method in ("GET", "HEAD"):
            assert server.request(method, path).status == 200
        assert server.post(path, fields={}).status == 200, "an empty form presses no button"
    assert stored(site) == before
    for _ in range(2):
        assert server.post(paths[0], fields={"yes": "yes"}).status == 200
        assert row(site).address_key == old
    assert server.post(paths[1], fields={"yes": "yes"}).status == 200
    assert (row(site).address, row(site).token, row(site).status) == (NEW, token, "active")
    for path in paths:
        assert server.get(path).status == 410
        assert server.post(path, fields={"yes": "yes"}).status == 410


def test_the_answer_does_not_tell_who_is_on_the_list(site: Site, server: Any, token: str) -> None:
    old = row(site).address_key
    with site.engine.begin() as connection:
        origin = ChangeOrigin(utc_now(), "form")
        changes.subscribe(connection, parse_address(NEW), "active", origin)
    taken = send(server, token, "move", email=NEW)
    assert owed(site).keys() == {old}, "nobody is bothered who is on the list"
    with site.engine.begin() as connection:
        connection.execute(sa.delete(transactional_email))
        connection.execute(sa.delete(address_change))
    free = send(server, token, "move", email="free@elsewhere.example")
    assert taken.status == free.status == 200
    without = re.compile(rb'value="[^"]*"')
    assert without.sub(b"", taken.data) == without.sub(b"", free.data)


def test_somebody_who_came_meanwhile_keeps_their_address(
    site: Site, server: Any, token: str
) -> None:
    old = row(site).address_key
    send(server, token, "move", email=NEW)
    letters = owed(site)
    with site.engine.begin() as connection:
        origin = ChangeOrigin(utc_now(), "form")
        changes.subscribe(connection, parse_address(NEW), "active", origin)
    assert server.post(path_of(letters[old]), fields={"yes": "yes"}).status == 200
    assert server.post(path_of(letters[NEW]), fields={"yes": "yes"}).status == 410
    assert row(site).address_key == old


def test_nobody_is_bombed_through_a_readers_page(site: Site, server: Any, token: str) -> None:
    assert send(server, token, "move", email=NEW).status == 200
    assert send(server, token, "move", email=NEW).status == 200
    assert send(server, token, "move", email="other@elsewhere.example").status == 422
    assert len(owed(site)) == 2


def test_a_forged_move(site: Site, server: Any, token: str) -> None:
    send(server, token, "move", email=NEW)
    path = path_of(owed(site)[NEW])
    flipped = "A" if path[-9] != "A" else "B"
    forged = [f"{path[:-9]}{flipped}{path[-8:]}", "/move/x", "/move/a.b.c"]
    forged.append("/move/" + site.signer("confirm").dumps([row(site).id, NEW, "from"]))
    for each in forged:
        assert server.get(each).status == 410
        assert server.post(each, fields={"yes": "yes"}).status == 410
    with read_transaction(site.engine) as connection:
        asked = connection.execute(sa.select(address_change)).one()
    assert (asked.old_confirmed_at, asked.new_confirmed_at) == (None, None)
