from collections.abc import Callable

import pytest
import sqlalchemy as sa

from newsletter.db import reading
from newsletter.subscribers.importing.import_list import ImportReport
from newsletter.subscribers.queries.listing import Filter, how_many, subscribers

TEXT = """\
email,name,status,city
Ada@M\u00fcnchen.de,Ada Lovelace,active,Oslo
bo_1@b.com,Bo,active,
cy@b.com,100% Cy,bounced,
"""


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), ["Ada@m\u00fcnchen.de", "bo_1@b.com", "cy@b.com"]),
        (Filter(status="active"), ["Ada@m\u00fcnchen.de", "bo_1@b.com"]),
        (Filter(status="complained"), []),
        (Filter(search="B.COM"), ["bo_1@b.com", "cy@b.com"]),
        (Filter(search="love"), ["Ada@m\u00fcnchen.de"]),
        (Filter(search="m\u00fcnch"), ["Ada@m\u00fcnchen.de"]),
        (Filter(search="_"), ["bo_1@b.com"]),
        (Filter(search="%"), ["cy@b.com"]),
        (Filter("bounced", "b.com"), ["cy@b.com"]),
    ],
)
def test_who_is_shown(
    engine: sa.Engine,
    imported: Callable[..., ImportReport],
    monkeypatch: pytest.MonkeyPatch,
    wanted: Filter,
    found: list[str],
) -> None:
    monkeypatch.setattr("newsletter.subscribers.queries.listing.PAGE", 2)
    imported(TEXT)
    with reading(engine) as connection:
        assert [each.address for each in subscribers(connection, wanted)] == found
        assert [each.address for each in subscribers(connection, wanted, 1)] == found[:1]
        assert how_many(connection, wanted) == len(found)


def test_what_is_shown(engine: sa.Engine, imported: Callable[..., ImportReport]) -> None:
    imported(TEXT)
    with reading(engine) as connection:
        ada = next(subscribers(connection, Filter()))
    assert ada.attributes == {"city": "Oslo"}
    assert (ada.name, ada.status, ada.source) == ("Ada Lovelace", "active", "import readers.csv:2")
    assert ada.joined_at.isoformat() == "2026-11-22T09:00:00+00:00"
