"""The database: engine, schema, migrations; SQLite and PostgreSQL.

SQLAlchemy Core and Alembic. Write in ``with engine.begin()``, read in
``with read_transaction(engine)``.
"""

from newsletter.db.engine import database_engine, open_database
from newsletter.db.transaction import read_transaction, snapshot_write_transaction

__all__ = ["database_engine", "open_database", "read_transaction", "snapshot_write_transaction"]
