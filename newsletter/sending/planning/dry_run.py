"""Dry run: write requests and sample emails to files.

Everything that a send does, except the POST. The files hold every recipient's address, so only
their owner can read them; and instead of the token, with which anybody could change that
reader's subscription, a stand-in of the same length.
"""

import datetime
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.config.tracking import TRACKED_ACTIONS, TrackedAction
from newsletter.errors import Location, SendRefusedError, display_path
from newsletter.private_files import create_private_file, make_private_folder
from newsletter.render.article.links import get_host
from newsletter.render.email import NamedAddress
from newsletter.render.eml import to_eml
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.providers.prepared_email import (
    PreparedEmail,
    PreparedRequest,
    display_name,
    split_into_batches,
)
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers import Recipient

# Used in place of the send's id, which doesn't exist yet.
DRY_RUN_SEND_ID = "dry-run"
# ``~`` is in no token (``TOKEN_PATTERN``), and a URL has it as it is (RFC 3986, section 2.3).
TOKEN_STAND_IN = "not-a-token~"  # noqa: S105 - the opposite of a secret
# What flock says on a file system without locks, such as some network shares.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS, errno.EBADF})


@dataclass(frozen=True, slots=True)
class DryRunTotals:
    """The totals of what would be sent to the provider.

    Attributes:
        recipient_count: how many recipients would be sent to.
        request_count: how many requests that takes.
        total_bytes: the size of all request bodies.
        largest_bytes: the size of the largest body.
        rejected_count: how many recipients are too large for any request; they would be rejected,
            the others sent to.
        tracked_counts: in how many of the requests opens, and clicks, are recorded.
    """

    recipient_count: int = 0
    request_count: int = 0
    total_bytes: int = 0
    largest_bytes: int = 0
    rejected_count: int = 0
    tracked_counts: Mapping[TrackedAction, int] = field(default_factory=dict)

    def add_request(
        self, api_request: PreparedRequest, tracked: Collection[TrackedAction]
    ) -> "DryRunTotals":
        """Return the totals with one more request, in which this is recorded."""
        size = len(api_request.body)
        return DryRunTotals(
            self.recipient_count + len(api_request.recipient_ids),
            self.request_count + bool(api_request.body),
            self.total_bytes + size,
            max(self.largest_bytes, size),
            self.rejected_count + len(api_request.rejected_recipients),
            {
                action: self.tracked_counts.get(action, 0)
                + (action in tracked and bool(api_request.body))
                for action in TRACKED_ACTIONS
            },
        )


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """The result of a dry run.

    Attributes:
        totals: the totals of the requests.
        bodies_path: the file with the request bodies, one per line.
        sample_paths: one .eml file for each of the first few recipients.
    """

    totals: DryRunTotals
    bodies_path: Path
    sample_paths: tuple[Path, ...]


def export_dry_run(  # noqa: PLR0913 - what, to whom, where; and four options
    prepared_email: PreparedEmail,
    recipients: Mapping[frozenset[TrackedAction], Iterable[Recipient]],
    folder: Path,
    *,
    with_tokens: bool = False,
    sample_count: int,
    now: datetime.datetime,
    progress: Callable[[int], None],
) -> DryRunResult:
    """Write what a real send would POST; memory use doesn't grow with the list.

    Args:
        prepared_email: the prepared email.
        recipients: what is recorded of readers -> who of them would get it; may be streams.
        folder: replaced as a whole once everything is written; unchanged if anything fails.
        with_tokens: whether to write the recipients' own tokens instead of stand-ins.
        sample_count: for how many recipients to write an .eml file.
        now: the date in those files, aware.
        progress: called with the number of recipients just completed.

    Raises:
        SendRefusedError: another dry run of the issue is being written.
        OSError: a file can't be written.
    """
    if not with_tokens:
        recipients = {tracked: map(replace_token, group) for tracked, group in recipients.items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock_folder(folder.parent):
        totals = _write_folder(prepared_email, recipients, folder, sample_count, now, progress)
    paths = (folder / "samples" / f"{number}.eml" for number in range(1, sample_count + 1))
    return DryRunResult(
        totals, folder / "requests.jsonl", tuple(path for path in paths if path.exists())
    )


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Keep other dry runs out of a folder until the ``with`` block ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until it is closed
        except BlockingIOError:
            raise SendRefusedError(
                "another dry run of this issue is being written",
                where=Location(display_path(folder)),
                remedy="Wait until it has ended.",
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
    finally:
        os.close(descriptor)


def _write_folder(  # noqa: PLR0913 - see export_dry_run
    prepared_email: PreparedEmail,
    recipients: Mapping[frozenset[TrackedAction], Iterable[Recipient]],
    folder: Path,
    sample_count: int,
    now: datetime.datetime,
    progress: Callable[[int], None],
) -> DryRunTotals:
    """Write all files, then replace ``folder`` by them; return the totals."""
    new_folder = folder.with_name(f".{folder.name}.new")
    _delete(new_folder)
    try:
        make_private_folder(new_folder)
        make_private_folder(new_folder / "samples")
        totals = DryRunTotals()
        with create_private_file(new_folder / "requests.jsonl") as file:
            for tracked, batch, request in _build_requests(prepared_email, recipients):
                accepted_ids = set(request.recipient_ids)
                accepted = (recipient for recipient in batch if recipient.id in accepted_ids)
                for number, recipient in enumerate(accepted, totals.recipient_count + 1):
                    if number > sample_count:
                        break
                    path = new_folder / "samples" / f"{number}.eml"
                    _write_sample(prepared_email, recipient, path, now)
                if request.body:
                    file.writelines((request.body, b"\n"))
                totals = totals.add_request(request, tracked)
                progress(len(request.recipient_ids) + len(request.rejected_recipients))
        _replace_folder(new_folder, folder)
    finally:
        _delete(new_folder)
    return totals


def replace_token(recipient: Recipient) -> Recipient:
    """Return the recipient with a stand-in of the same length in place of their token.

    No page accepts it. It has the recipient's id, so that each has a stand-in of their own.
    """
    id_, address, key, token, attributes = recipient
    stand_in = TOKEN_STAND_IN + str(id_).rjust(len(token) - len(TOKEN_STAND_IN), "0")
    # Not _replace(), which takes three times as long.
    return Recipient(id_, address, key, stand_in, attributes)


def _build_requests(
    prepared_email: PreparedEmail,
    recipients: Mapping[frozenset[TrackedAction], Iterable[Recipient]],
) -> Iterator[tuple[frozenset[TrackedAction], tuple[Recipient, ...], PreparedRequest]]:
    provider = get_provider(prepared_email.config)
    number = 0
    for tracked, group in recipients.items():
        group_email = prepared_email.with_tracking(tracked)
        for batch in split_into_batches(prepared_email, group):
            number += 1
            request_id = RequestId(DRY_RUN_SEND_ID, str(number), "1")
            yield tracked, batch, provider.build_request(group_email, batch, request_id)


def _write_sample(
    prepared_email: PreparedEmail, recipient: Recipient, path: Path, now: datetime.datetime
) -> None:
    config = prepared_email.config
    eml = to_eml(
        personalize_for_recipient(
            prepared_email.email, config, recipient.attributes, recipient.token
        ),
        NamedAddress(display_name(recipient), recipient.address),
        date=now,
        message_id=f"<{prepared_email.email.issue}.{path.stem}@{get_host(config.site_url)}>",
        headers=build_unsubscribe_headers(config, recipient.token),
    )
    with create_private_file(path) as file:
        file.write(eml)


def _replace_folder(new_folder: Path, folder: Path) -> None:
    old_folder = folder.with_name(f".{folder.name}.old")
    _delete(old_folder)
    if os.path.lexists(folder):
        folder.rename(old_folder)
    new_folder.rename(folder)
    _delete(old_folder)


def _delete(path: Path) -> None:
    """Delete a folder, or a file or symbolic link in its place; if it can't be, it stays."""
    if path.is_symlink() or path.is_file():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
