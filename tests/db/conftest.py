"""Fixtures: the creation of databases is tested here, so each test gets one not yet created."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import open_database


@pytest.fixture
def postgres_url(new_postgres_url: str) -> str:
    return new_postgres_url


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database at the newest schema, created by the migrations."""
    engine = open_database(database_url, tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_database(database_url: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database without tables, to create those of an earlier version."""
    url = database_url.replace("sqlite:///", f"sqlite:///{tmp_path}/")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()
