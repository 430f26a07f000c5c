"""How a database is made is tested here, so that each test gets one that is not made yet."""

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
    """A database at the newest schema, made by the migrations."""
    opened = open_database(database_url, tmp_path)
    yield opened
    opened.dispose()
