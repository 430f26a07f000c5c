import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.subscribers.importing.import_list import (
    ImportSummary,
    ListImportOptions,
    import_subscriber_file,
)

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)

ImportText = Callable[..., ImportSummary]


@pytest.fixture
def import_text(engine: sa.Engine, tmp_path: Path) -> ImportText:
    """Return a function that imports text or bytes as ``readers.csv`` into the test's list."""

    def import_content(
        content: str | bytes,
        *,
        name: str = "readers.csv",
        mapping: Mapping[str, str] | None = None,
        tags: tuple[str, ...] = (),
        consent: str = "",
        dry_run: bool = False,
        now: datetime.datetime = NOW,
    ) -> ImportSummary:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_subscriber_file(
            engine,
            path,
            now=now,
            options=ListImportOptions(mapping or {}, tags, consent, dry_run=dry_run),
        )

    return import_content
