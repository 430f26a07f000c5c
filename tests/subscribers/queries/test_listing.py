from collections.abc import Callable

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.subscribers.importing.import_list import ImportSummary
from newsletter.subscribers.queries.listing import (
    SubscriberFilter,
    count_filtered,
    iter_subscribers,
)

TEXT = """\
email,name,status,city
Ada@M\u00fcnchen.de,Ada Lovelace,active,Oslo
bo_1@b.com,Bo,active,
cy@b.com,100% Cy \u00f6zil,bounced,
"""


@pytest.mark.parametrize(
    ("subscriber_filter", "addresses"),
    [
        (SubscriberFilter(), ["Ada@m\u00fcnchen.de", "bo_1@b.com", "cy@b.com"]),
        (SubscriberFilter(status="active"), ["Ada@m\u00fcnchen.de", "bo_1@b.com"]),
        (SubscriberFilter(status="complained"), []),
        (SubscriberFilter(search="B.COM"), ["bo_1@b.com", "cy@b.com"]),
        (SubscriberFilter(search="love"), ["Ada@m\u00fcnchen.de"]),
        (SubscriberFilter(search="m\u00fcnch"), ["Ada@m\u00fcnchen.de"]),
        (SubscriberFilter(search="M\u00dcN"), ["Ada@m\u00fcnchen.de"]),
        (SubscriberFilter(search="\u00d6Z\u0130L"), ["cy@b.com"]),
        (SubscriberFilter(search="_"), ["bo_1@b.com"]),
        (SubscriberFilter(search="[b]"), []),
        (SubscriberFilter(search="%"), ["cy@b.com"]),
        (SubscriberFilter("bounced", "b.com"), ["cy@b.com"]),
    ],
)
def test_filter_by_status_and_search_text(
    engine: sa.Engine,
    import_text: Callable[..., ImportSummary],
    monkeypatch: pytest.MonkeyPatch,
    subscriber_filter: SubscriberFilter,
    addresses: list[str],
) -> None:
    monkeypatch.setattr("newsletter.subscribers.queries.listing.PAGE_SIZE", 2)
    import_text(TEXT)
    with read_transaction(engine) as connection:
        rows = iter_subscribers(connection, subscriber_filter)
        assert [row.address for row in rows] == addresses
        rows = iter_subscribers(connection, subscriber_filter, 1)
        assert [row.address for row in rows] == addresses[:1]
        assert count_filtered(connection, subscriber_filter) == len(addresses)


def test_fields_of_a_listed_subscriber(
    engine: sa.Engine, import_text: Callable[..., ImportSummary]
) -> None:
    import_text(TEXT)
    with read_transaction(engine) as connection:
        ada = next(iter_subscribers(connection, SubscriberFilter()))
    assert ada.attributes == {"city": "Oslo"}
    assert (ada.name, ada.status, ada.source) == ("Ada Lovelace", "active", "import readers.csv:2")
    assert ada.joined_at.isoformat() == "2026-11-22T09:00:00+00:00"
