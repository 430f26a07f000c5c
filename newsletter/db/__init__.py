"""Engine, schema and migrations (SQLAlchemy Core, Alembic); SQLite and PostgreSQL.

Write in ``with engine.begin()``; read in ``with reading(engine)``.
"""

from newsletter.db.engine import database, open_database
from newsletter.db.transaction import reading, writing_of_one_moment

__all__ = ["database", "open_database", "reading", "writing_of_one_moment"]
