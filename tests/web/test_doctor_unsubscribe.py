"""``newsletter doctor`` checks one-click unsubscribe with an unknown token."""

from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.sending.doctor.online import check_one_click_unsubscribe
from newsletter.web.site_context import Site


def test_doctor_recognizes_our_server_and_unsubscribes_nobody(
    site: Site, server: Any, add_subscriber: Any
) -> None:
    add_subscriber("ada@example.com")
    config = site.config.model_copy(update={"public_url": server.url})
    (line,) = check_one_click_unsubscribe(config)
    assert (line.about, line.state) == ("one-click", "ok")
    with site.engine.connect() as connection:
        assert connection.scalars(sa.select(subscriber.c.status)).all() == ["active"]
