"""Issues whose images must be published before they are sent.

Test emails of them have been sent, or a send is about to check whether readers can see them.
"""

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import setting

KEY_PREFIX = "tested "


def mark_issue_tested(engine: sa.Engine, issue: str) -> None:
    """Record that readers may need an issue's images from now on: ``newsletter serve`` has them."""
    with engine.begin() as connection:
        row = {"key": KEY_PREFIX + issue, "value": ""}
        connection.execute(insert_or_ignore(connection, setting).values(row))


def list_tested_issues(engine: sa.Engine) -> list[str]:
    """Return the names of the tested issues, the latest date first."""
    tested_keys = sa.select(setting.c.key).where(
        setting.c.key.startswith(KEY_PREFIX, autoescape=True)
    )
    with read_transaction(engine) as connection:
        names = [key.removeprefix(KEY_PREFIX) for key in connection.scalars(tested_keys)]
    return sorted(names, reverse=True)
