"""What is left of a plan is found batch by batch, however long the list is."""

import datetime
from pathlib import Path

import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.sending.planning.audience import select_open_batch_sizes
from newsletter.subscribers.topics import topic_scope

NOW = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)


def test_postgresql_looks_for_one_recipient_of_each_batch(
    postgres_url: str, tmp_path: Path
) -> None:
    with database_engine(postgres_url, tmp_path) as engine, engine.connect() as connection:
        query = select_open_batch_sizes(1).params(moment=NOW, topic_scope=topic_scope(""))
        compiled = query.compile(
            dialect=engine.dialect,
            compile_kwargs={"literal_binds": True, "render_postcompile": True},
        )
        plan = "\n".join(connection.scalars(sa.text(f"EXPLAIN {compiled}".replace(":", "\\:"))))
    assert "SubPlan" in plan
    assert "Join Filter: (batch.id" not in plan
    assert "Semi Join" not in plan
