"""The doctor finds out whether readers can leave, with a token that is nobody's."""

from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.sending.doctor.online import check_one_click_unsubscribe
from newsletter.web.site_context import Site


def test_our_own_server_is_known_by_its_answer(site: Site, server: Any, reader: Any) -> None:
    reader("ada@example.com")
    config = site.config.model_copy(update={"public_url": server.url})
    (line,) = check_one_click_unsubscribe(config)
    assert (line.about, line.state) == ("one-click", "ok")
    with site.engine.connect() as connection:
        assert connection.scalars(sa.select(subscriber.c.status)).all() == ["active"]
