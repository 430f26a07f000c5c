"""The site with the rights of PostgreSQL's web role: all that a reader does, and nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from postgres_server import Server, login_in_role

from newsletter.db.schema import journal, send, send_content, subscriber
from newsletter.errors import DatabaseError
from newsletter.web.background_jobs import make_background_jobs
from newsletter.web.subscriber.access_token import sign

YES = {"yes": "yes"}


@pytest.fixture
def site_database(postgres_server: Server, postgres_url: str) -> Iterator[str]:
    with login_in_role(postgres_server, postgres_url, "web") as url:
        yield url


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"signup": {"per_address_day": 10}}


def find_link(harness: Any, kind: str) -> str:
    text = harness.latest_email()["content"][0]["value"]
    match = re.search(rf"https://[^/]+(/{kind}/[^>\s]+)", text)
    assert match, text
    return match[1]


def test_reader_joins_leaves_returns_moves_and_is_erased(harness: Any, server: Any) -> None:
    engine = harness.site.engine
    for _ in range(2):  # who was erased may join again
        fields = harness.make_fields("ada@example.org")
        assert server.post("/subscribe", fields=fields).status == 200
        harness.send_emails()
        assert server.post(find_link(harness, "confirm"), fields=YES).status == 200
        with engine.connect() as connection:
            token = connection.scalars(sa.select(subscriber.c.token)).one()
        one_click = {"List-Unsubscribe": "One-Click"}
        assert server.post(f"/u/{token}", fields=one_click).status == 200
        assert harness.status("ada@example.org") == "unsubscribed"
        signed = sign(harness.site, "preferences", token)
        assert server.post(f"/p/{token}", fields={"signed": signed, "do": "erase"}).status == 200
        harness.send_emails()
        assert server.post(find_link(harness, "erase"), fields=YES).status == 200
        assert harness.status("ada@example.org") is None


def test_background_jobs_run_and_due_sends_are_left_to_others(harness: Any) -> None:
    jobs = make_background_jobs(harness.site, harness.mailer)
    names = {job.name for job in jobs}
    assert "transactional emails" in names
    assert names.isdisjoint({"due sends", "heartbeat"})
    for job in jobs:
        job.run()


@pytest.mark.parametrize(
    ("statement", "right"),
    [
        (sa.insert(send).values(issue="x"), "table send"),
        (sa.delete(send), "table send"),
        (sa.update(send_content).values(html="x"), "table send_content"),
        (sa.update(journal).values(source="x"), "table journal"),
        (sa.delete(journal), "table journal"),
        (sa.text("TRUNCATE subscriber CASCADE"), "table subscriber"),
        (sa.text("DROP TABLE subscriber"), "must be owner of table subscriber"),
        (sa.text("CREATE TABLE mine (id int)"), "schema public"),
    ],
)
def test_what_the_site_never_does_is_refused(
    statement: sa.Executable, right: str, harness: Any
) -> None:
    with (
        pytest.raises(DatabaseError, match=rf"the role may not do this: .*{right}.*db roles"),
        harness.site.engine.begin() as connection,
    ):
        connection.execute(statement)
