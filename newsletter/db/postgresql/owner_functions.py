"""What a role may have done with the rights of the tables' owner.

The functions are made by the migrations; ``newsletter db roles`` says who may execute them.
"""

import sqlalchemy as sa

from newsletter.db.postgresql.privileges import may_execute

CREATE_PARTITION = "newsletter_create_partition(bigint)"
ATTACH_PARTITION = "newsletter_attach_partition(bigint)"
DROP_PARTITION = "newsletter_drop_partition(bigint)"
ANALYZE = "newsletter_analyze(text)"
OWNER_FUNCTIONS = (CREATE_PARTITION, ATTACH_PARTITION, DROP_PARTITION, ANALYZE)


def analyze_tables(connection: sa.Connection, *tables: sa.Table) -> None:
    """Renew the statistics of PostgreSQL's planner after many rows were inserted.

    Autovacuum does so only minutes later. Until then, PostgreSQL takes new rows for few, and may
    read a whole table for each of them. Does nothing on SQLite, or if the role may not.

    Args:
        connection: in a transaction.
        tables: of subscribers, tags, recipients, batches or events.
    """
    if connection.dialect.name == "postgresql" and may_execute(connection, ANALYZE):
        for table in tables:
            connection.execute(sa.select(sa.func.newsletter_analyze(table.name)))
