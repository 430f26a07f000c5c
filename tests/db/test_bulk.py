import sqlalchemy as sa

from newsletter.db.bulk import BulkStatement

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
