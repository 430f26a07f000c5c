"""Fixture: workers share a database on PostgreSQL."""

import pytest


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url
