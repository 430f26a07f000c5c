import weakref

import sqlalchemy as sa

from newsletter.db.bulk import BulkStatement, column_in, column_in_parameter

TABLE = sa.Table(
    "numbered",
    sa.MetaData(),
    sa.Column("owner", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
)


def test_bulk_insert_with_computed_key_uses_no_returning(engine: sa.Engine) -> None:
    # Core adds RETURNING for such a key, which executemany of sqlite3 rejects from Python 3.12 on.
    next_number = sa.select(sa.literal_column("coalesce(max(n), 0) + 1", sa.Integer)).select_from(
        TABLE
    )
    statement = sa.insert(TABLE).values(
        owner=sa.bindparam("key"),
        n=next_number.where(TABLE.c.owner == sa.bindparam("key")).scalar_subquery(),
    )
    executed: list[str] = []
    with engine.begin() as connection:
        TABLE.create(connection)
        sa.event.listen(
            connection,
            "before_cursor_execute",
            lambda *event: executed.append(event[2]),
            named=False,
        )
        BulkStatement(statement, engine.dialect, ("key",)).execute(connection, [(1,), (2,), (1,)])
        rows = connection.execute(sa.select(TABLE).order_by("owner", "n")).all()
    assert [tuple(row) for row in rows] == [(1, 1), (1, 2), (2, 1)]
    assert "INSERT" in executed[0]
    assert "RETURNING" not in executed[0].upper()


def test_list_parameter_may_differ_per_row_of_executemany(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        TABLE.create(connection)
        rows = [{"owner": owner, "n": 0} for owner in range(6)]
        connection.execute(sa.insert(TABLE), rows)
        update = (
            sa.update(TABLE)
            .where(column_in_parameter(connection, TABLE.c.owner, "owners"))
            .values(n=TABLE.c.n + sa.bindparam("more"))
        )
        changes = [
            {"owners": [1, 2], "more": 1},
            {"owners": [], "more": 10},
            {"owners": range(2, 5), "more": 100},
        ]
        connection.execute(update, changes)
        numbers = connection.scalars(sa.select(TABLE.c.n).order_by(TABLE.c.owner)).all()
    assert numbers == [0, 1, 101, 100, 100, 0]


def test_condition_keeps_the_keys_of_a_dict_alone(engine: sa.Engine) -> None:
    values = {1: set[str]()}
    kept = weakref.ref(values[1])
    with engine.connect() as connection:
        condition = column_in(connection, TABLE.c.owner, values)
    del values
    assert kept() is None
    assert str(condition)
