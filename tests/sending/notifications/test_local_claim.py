"""Without the database, what fails again and again is notified once an hour."""

from pathlib import Path

import pytest

from newsletter.sending.notifications.local_claim import REPEAT_SECONDS, claim_locally

NOW = 1_796_000_000.0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_each_is_claimed_once_an_hour() -> None:
    assert claim_locally("ice blocked", NOW)
    assert not claim_locally("ice blocked", NOW + REPEAT_SECONDS - 1)
    assert claim_locally("boat blocked", NOW)
    assert claim_locally("ice blocked", NOW + REPEAT_SECONDS)
    assert not claim_locally("ice blocked", NOW + REPEAT_SECONDS + 1)


def test_claim_of_a_clock_that_was_ahead_is_replaced() -> None:
    assert claim_locally("ice blocked", NOW + 5 * REPEAT_SECONDS)
    assert claim_locally("ice blocked", NOW)
    assert not claim_locally("ice blocked", NOW)


def test_nothing_is_claimed_where_nothing_can_be_written(folder: Path) -> None:
    folder.rmdir()
    assert claim_locally("ice blocked", NOW)
    assert claim_locally("ice blocked", NOW)


def test_no_link_is_followed(folder: Path) -> None:
    assert claim_locally("ice blocked", NOW)
    [claim] = folder.iterdir()
    claim.unlink()
    other = folder / "other"
    claim.symlink_to(other)
    claim_locally("ice blocked", NOW + REPEAT_SECONDS)
    assert not other.exists()
