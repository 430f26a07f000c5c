"""Engine, schema and migrations (SQLAlchemy Core, Alembic); SQLite and PostgreSQL.

Write in ``with engine.begin()``; read in ``with reading(engine)``.
"""

from newsletter.db.engine import database_engine, open_database
from newsletter.db.transaction import read_transaction, snapshot_write_transaction

__all__ = ["database_engine", "open_database", "read_transaction", "snapshot_write_transaction"]
