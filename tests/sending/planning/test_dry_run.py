"""A dry run writes all or nothing, and needs no more memory for more readers."""

import datetime
import email as mail
import json
import tracemalloc
from collections.abc import Iterator
from email.policy import default
from pathlib import Path

import pytest
from sending_fixtures import MakeReaders

from newsletter.sending.planning.dry_run import DryRunResult, export_dry_run
from newsletter.sending.providers.sendgrid.payload import PreparedEmail
from newsletter.sending.rehearsal.fake_sendgrid.validation import validate_request
from newsletter.subscribers import Recipient

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)


def rehearse(
    letter: PreparedEmail,
    readers: list[Recipient] | Iterator[Recipient],
    folder: Path,
    samples: int = 3,
) -> DryRunResult:
    return export_dry_run(
        letter, readers, folder, sample_count=samples, now=NOW, progress=lambda _: None
    )


def test_counts_and_files_agree(
    letter: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    folder = tmp_path / "build" / "dry-run"
    done = rehearse(letter, make_readers(25), folder)
    lines = done.bodies_path.read_bytes().splitlines()
    assert (done.totals.recipient_count, done.totals.request_count) == (25, len(lines)) == (25, 3)
    assert done.totals.total_bytes == sum(map(len, lines))
    assert done.totals.largest_bytes == max(map(len, lines))
    assert all(validate_request(line, 0)[1] == [] for line in lines)
    stamps = [json.loads(line)["personalizations"][0]["custom_args"] for line in lines]
    assert [stamp["nl_batch"] for stamp in stamps] == ["1", "2", "3"]
    assert {stamp["nl_send"] for stamp in stamps} == {"dry-run"}


def test_a_sample_is_the_mail_of_that_reader(
    letter: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    done = rehearse(letter, make_readers(12), tmp_path / "dry-run", samples=11)
    assert [path.name for path in done.sample_paths] == [f"{number}.eml" for number in range(1, 12)]
    message = mail.message_from_bytes(done.sample_paths[10].read_bytes(), policy=default)
    assert message["Subject"] == "The ice let go, Reader 11"
    assert message["List-Unsubscribe"] == "<https://news.harbour-notes.org/u/token-11>"
    body = message.get_body(("html",))
    assert body is not None
    assert "Dear Reader 11," in body.get_content()


def test_a_reader_whom_no_request_can_hold_is_counted(
    letter: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    readers = make_readers(11)
    readers[0] = readers[0]._replace(attributes={"name": "x" * 20_000})
    done = rehearse(letter, readers, tmp_path / "dry-run")
    assert (done.totals.recipient_count, done.totals.rejected_count, done.totals.request_count) == (
        10,
        1,
        2,
    )


def test_a_run_that_fails_leaves_the_last_one_whole(
    letter: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    folder = tmp_path / "dry-run"
    rehearse(letter, make_readers(5), folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}

    def breaking() -> Iterator[Recipient]:
        yield from make_readers(15)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        rehearse(letter, breaking(), folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["dry-run"]


def test_a_new_run_replaces_the_last_one_whole(
    letter: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    rehearse(letter, make_readers(5), tmp_path / "dry-run", samples=5)
    done = rehearse(letter, make_readers(5), tmp_path / "dry-run", samples=1)
    assert [path.name for path in (tmp_path / "dry-run" / "samples").iterdir()] == ["1.eml"]
    assert len(done.sample_paths) == 1


def test_memory_is_flat(letter: PreparedEmail, make_readers: MakeReaders, tmp_path: Path) -> None:
    (one,) = make_readers(1)

    def peak(count: int) -> int:
        stream = (
            one._replace(id=number, attributes={"name": f"Reader {number}"})
            for number in range(count)
        )
        tracemalloc.start()
        rehearse(letter, stream, tmp_path / "dry-run")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(12_000)  # fills what is remembered of names
    assert peak(30_000) < peak(3_000) * 1.5
