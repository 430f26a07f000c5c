import sqlalchemy as sa

from newsletter.db.bulk import BulkStatement, column_in_parameter

TABLE = sa.Table(
    "numbered",
    sa.MetaData(),
    sa.Column("owner", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
)


def test_rows_whose_key_the_database_makes_are_written_by_the_driver(engine: sa.Engine) -> None:
    # Core asks for such a key by RETURNING, and sqlite3 of Python 3.12 and later then refuses.
    last = sa.select(sa.literal_column("coalesce(max(n), 0) + 1", sa.Integer)).select_from(TABLE)
    statement = sa.insert(TABLE).values(
        owner=sa.bindparam("whose"),
        n=last.where(TABLE.c.owner == sa.bindparam("whose")).scalar_subquery(),
    )
    sent: list[str] = []
    with engine.begin() as connection:
        TABLE.create(connection)
        sa.event.listen(
            connection, "before_cursor_execute", lambda *event: sent.append(event[2]), named=False
        )
        BulkStatement(statement, engine.dialect, ("whose",)).execute(connection, [(1,), (2,), (1,)])
        rows = connection.execute(sa.select(TABLE).order_by("owner", "n")).all()
    assert [tuple(row) for row in rows] == [(1, 1), (1, 2), (2, 1)]
    assert "INSERT" in sent[0]
    assert "RETURNING" not in sent[0].upper()


def test_list_parameter_may_differ_from_row_to_row_of_one_statement(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        TABLE.create(connection)
        rows = [{"owner": owner, "n": 0} for owner in range(6)]
        connection.execute(sa.insert(TABLE), rows)
        raised = (
            sa.update(TABLE)
            .where(column_in_parameter(connection, TABLE.c.owner, "owners"))
            .values(n=TABLE.c.n + sa.bindparam("more"))
        )
        changes = [
            {"owners": [1, 2], "more": 1},
            {"owners": [], "more": 10},
            {"owners": range(2, 5), "more": 100},
        ]
        connection.execute(raised, changes)
        numbers = connection.scalars(sa.select(TABLE.c.n).order_by(TABLE.c.owner)).all()
    assert numbers == [0, 1, 101, 100, 100, 0]
