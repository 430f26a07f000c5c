"""Read and write values of the table ``setting``."""

import sqlalchemy as sa

from newsletter.db.bulk import insert_for_upsert
from newsletter.db.schema import setting


def read_setting(connection: sa.Connection, key: str) -> str | None:
    """Return the value of a key; ``None`` if there is none."""
    value: str | None = connection.scalar(sa.select(setting.c.value).where(setting.c.key == key))
    return value


def write_setting(connection: sa.Connection, key: str, value: str) -> None:
    """Store the value of a key, whether or not there is one."""
    statement = insert_for_upsert(connection, setting).values(key=key, value=value)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key"], set_={"value": statement.excluded.value}
        )
    )
