"""A dry run writes all files or none, and its memory use doesn't grow with the list."""

import datetime
import email as mail
import errno
import fcntl
import json
import os
import secrets
import tracemalloc
from collections.abc import Callable, Iterator
from email.policy import default
from pathlib import Path
from urllib.parse import quote

import pytest
from sending_fixtures import MakeReaders

from newsletter.errors import SendRefusedError
from newsletter.sending.planning.dry_run import DryRunResult, export_dry_run, replace_token
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal.fake_sendgrid.validation import validate_request
from newsletter.subscribers import Recipient
from newsletter.subscribers.importing.rows.row_parser import TOKEN_PATTERN

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)


def export(
    prepared: PreparedEmail,
    recipients: list[Recipient] | Iterator[Recipient],
    folder: Path,
    samples: int = 3,
    *,
    with_tokens: bool = False,
) -> DryRunResult:
    return export_dry_run(
        prepared,
        {frozenset(): recipients},
        folder,
        with_tokens=with_tokens,
        sample_count=samples,
        now=NOW,
        progress=lambda _: None,
    )


def test_totals_match_the_files(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    folder = tmp_path / "build" / "dry-run"
    result = export(prepared, make_readers(25), folder)
    lines = result.bodies_path.read_bytes().splitlines()
    assert (
        (result.totals.recipient_count, result.totals.request_count) == (25, len(lines)) == (25, 3)
    )
    assert result.totals.total_bytes == sum(map(len, lines))
    assert result.totals.largest_bytes == max(map(len, lines))
    assert all(validate_request(line, 0)[1] == [] for line in lines)
    custom_args = [json.loads(line)["personalizations"][0]["custom_args"] for line in lines]
    assert [args["nl_batch"] for args in custom_args] == ["1", "2", "3"]
    assert {args["nl_send"] for args in custom_args} == {"dry-run"}


def test_sample_is_the_email_of_its_recipient(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    result = export(prepared, make_readers(12), tmp_path / "dry-run", samples=11, with_tokens=True)
    assert [path.name for path in result.sample_paths] == [
        f"{number}.eml" for number in range(1, 12)
    ]
    message = mail.message_from_bytes(result.sample_paths[10].read_bytes(), policy=default)
    assert message["Subject"] == "The ice let go, Reader 11"
    assert message["List-Unsubscribe"] == "<https://news.harbour-notes.org/u/token-11>"
    body = message.get_body(("html",))
    assert body is not None
    assert "Dear Reader 11," in body.get_content()


def with_real_tokens(recipients: list[Recipient]) -> list[Recipient]:
    return [recipient._replace(token=secrets.token_urlsafe(16)) for recipient in recipients]


@pytest.mark.parametrize("personalize", ["substitutions", "per_request"])
def test_stand_ins_replace_every_token_and_change_no_size(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path, personalize: str
) -> None:
    sendgrid = prepared.config.sendgrid.model_copy(update={"personalize": personalize})
    config = prepared.config.model_copy(update={"sendgrid": sendgrid})
    prepared = prepare_email(prepared.email, config)
    recipients = with_real_tokens(make_readers(12))
    real = export(prepared, recipients, tmp_path / "real", with_tokens=True)
    safe = export(prepared, recipients, tmp_path / "safe")
    assert safe.totals == real.totals
    for folder in ("real", "safe"):
        paths = sorted(path for path in (tmp_path / folder).rglob("*") if path.is_file())
        assert len(paths) == 4
        for path in paths:
            relative = path.relative_to(tmp_path / folder)
            assert path.stat().st_size == (tmp_path / "real" / relative).stat().st_size
        content = b"".join(path.read_bytes() for path in paths)
        found = {recipient.id for recipient in recipients if recipient.token.encode() in content}
        assert found == ({recipient.id for recipient in recipients} if folder == "real" else set())
    stand_ins = {replace_token(recipient).token for recipient in recipients}
    assert len(stand_ins) == len(recipients)
    # A file may be encoded as quoted-printable, which breaks lines.
    requests = safe.bodies_path.read_bytes()
    assert all(token.encode() in requests for token in stand_ins)


@pytest.mark.parametrize("id_", [1, 42, 2**31, 10**10 - 1])
def test_stand_in_is_as_long_as_a_token_and_is_none(id_: int) -> None:
    token = secrets.token_urlsafe(16)
    stand_in = replace_token(Recipient(id_, "a@example.com", "a@example.com", token, {})).token
    assert len(stand_in) == len(token)
    assert TOKEN_PATTERN.fullmatch(token)
    assert not TOKEN_PATTERN.fullmatch(stand_in)
    assert quote(stand_in) == stand_in


def test_recipient_too_large_for_any_request_is_counted(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    recipients = make_readers(11)
    recipients[0] = recipients[0]._replace(attributes={"name": "x" * 20_000})
    result = export(prepared, recipients, tmp_path / "dry-run")
    assert (
        result.totals.recipient_count,
        result.totals.rejected_count,
        result.totals.request_count,
    ) == (
        10,
        1,
        2,
    )


def test_failing_run_leaves_the_previous_one_unchanged(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    folder = tmp_path / "dry-run"
    export(prepared, make_readers(5), folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}

    def failing() -> Iterator[Recipient]:
        yield from make_readers(15)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        export(prepared, failing(), folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["dry-run"]


def test_new_run_replaces_the_previous_one(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    export(prepared, make_readers(5), tmp_path / "dry-run", samples=5)
    result = export(prepared, make_readers(5), tmp_path / "dry-run", samples=1)
    assert [path.name for path in (tmp_path / "dry-run" / "samples").iterdir()] == ["1.eml"]
    assert len(result.sample_paths) == 1


def put_link(path: Path, elsewhere: Path) -> None:
    path.symlink_to(elsewhere)


def put_broken_link(path: Path, _: Path) -> None:
    path.symlink_to("missing")


def put_file(path: Path, _: Path) -> None:
    path.write_text("an old note")


@pytest.mark.parametrize("name", ["dry-run", ".dry-run.new", ".dry-run.old"])
@pytest.mark.parametrize("put", [put_link, put_broken_link, put_file])
def test_link_or_file_in_place_of_a_folder_is_replaced(
    prepared: PreparedEmail,
    make_readers: MakeReaders,
    tmp_path: Path,
    name: str,
    put: Callable[[Path, Path], None],
) -> None:
    folder, elsewhere = tmp_path / "issue" / "dry-run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "requests.jsonl").write_text("another's")
    folder.parent.mkdir()
    if name == ".dry-run.old":
        export(prepared, make_readers(5), folder)
    put(folder.with_name(name), elsewhere)
    for count in (1, 2):
        result = export(prepared, make_readers(5), folder, samples=count)
        assert len(result.sample_paths) == count
    assert not folder.is_symlink()
    assert [path.name for path in folder.parent.iterdir()] == ["dry-run"]
    assert (elsewhere / "requests.jsonl").read_text() == "another's"


def test_second_dry_run_at_the_same_time_is_refused(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    folder = tmp_path / "issue" / "dry-run"

    def interrupted() -> Iterator[Recipient]:
        yield from make_readers(15)
        with pytest.raises(SendRefusedError, match="another dry run of this issue"):
            export(prepared, make_readers(5), folder)
        yield from make_readers(5)

    assert export(prepared, interrupted(), folder).totals.recipient_count == 20
    lines = (folder / "requests.jsonl").read_bytes().splitlines()
    assert sum(len(json.loads(line)["personalizations"]) for line in lines) == 20
    assert export(prepared, make_readers(5), folder).totals.recipient_count == 5


def let_locks_fail(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)


def test_file_system_without_locks_needs_none(
    prepared: PreparedEmail,
    make_readers: MakeReaders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_locks_fail(monkeypatch, errno.ENOTSUP)
    assert export(prepared, make_readers(5), tmp_path / "dry-run").totals.recipient_count == 5


def test_lock_that_fails_is_an_error(
    prepared: PreparedEmail,
    make_readers: MakeReaders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_locks_fail(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        export(prepared, make_readers(5), tmp_path / "dry-run")
    assert not (tmp_path / "dry-run").exists()


def test_memory_use_does_not_grow_with_the_list(
    prepared: PreparedEmail, make_readers: MakeReaders, tmp_path: Path
) -> None:
    (recipient,) = make_readers(1)

    def peak(count: int) -> int:
        stream = (
            recipient._replace(id=number, attributes={"name": f"Reader {number}"})
            for number in range(count)
        )
        tracemalloc.start()
        export(prepared, stream, tmp_path / "dry-run")
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak_bytes

    peak(12_000)  # fills the cache of names
    assert peak(30_000) < peak(3_000) * 1.5
