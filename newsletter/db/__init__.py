"""Database engine, schema, migrations; SQLite and PostgreSQL.

Uses SQLAlchemy Core and Alembic. Write within ``with engine.begin()``; read within
``with read_transaction(engine)``.
"""

from newsletter.db.engine import database_engine, open_database
from newsletter.db.transaction import read_transaction, snapshot_write_transaction

__all__ = ["database_engine", "open_database", "read_transaction", "snapshot_write_transaction"]
