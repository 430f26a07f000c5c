"""Engine, schema and migrations (SQLAlchemy Core, Alembic); SQLite and PostgreSQL."""
