"""Dry run: the requests and sample copies as files.

Everything but the POST.
"""

import datetime
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from newsletter.render.article.links import get_host
from newsletter.render.email import NamedAddress
from newsletter.render.eml import to_eml
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.payload import (
    PreparedEmail,
    PreparedRequest,
    build_request,
    display_name,
    split_into_batches,
)
from newsletter.subscribers import Recipient

# The ids of a real send are made when it starts; these stand where they would.
DRY_RUN_SEND_ID = "dry-run"


@dataclass(frozen=True, slots=True)
class DryRunTotals:
    """What would go to the vendor.

    Attributes:
        recipient_count: how many would be mailed.
        request_count: how many requests would go.
        total_bytes: of all their bodies together.
        largest_bytes: of the largest body.
        rejected_count: how many readers no request can hold; they would be rejected, the others
            sent.
    """

    recipient_count: int = 0
    request_count: int = 0
    total_bytes: int = 0
    largest_bytes: int = 0
    rejected_count: int = 0

    def add_request(self, api_request: PreparedRequest) -> "DryRunTotals":
        """With one more request."""
        size = len(api_request.body)
        return DryRunTotals(
            self.recipient_count + len(api_request.recipient_ids),
            self.request_count + bool(api_request.body),
            self.total_bytes + size,
            max(self.largest_bytes, size),
            self.rejected_count + len(api_request.rejected_recipients),
        )


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What a dry run has counted and written.

    Attributes:
        totals: of the requests.
        bodies_path: the file that holds them, one a line.
        sample_paths: one .eml a reader, for the first few.
    """

    totals: DryRunTotals
    bodies_path: Path
    sample_paths: tuple[Path, ...]


def export_dry_run(  # noqa: PLR0913 - what, to whom, where; and three small wishes
    prepared_email: PreparedEmail,
    recipients: Iterable[Recipient],
    folder: Path,
    *,
    sample_count: int,
    now: datetime.datetime,
    progress: Callable[[int], None],
) -> DryRunResult:
    """Write what a real send of ``letter`` would POST; memory stays flat.

    Args:
        prepared_email: the email, made ready.
        recipients: who would get it; may be a stream.
        folder: replaced as a whole when all is written; left alone if anything fails.
        sample_count: how many readers to write an .eml for.
        now: the date in those, with a zone.
        progress: called with the number of readers just done.
    """
    aside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        (aside / "samples").mkdir(parents=True)
        totals = DryRunTotals()
        with (aside / "requests.jsonl").open("xb") as file:
            for batch, api_request in _build_requests(prepared_email, recipients):
                fit = set(api_request.recipient_ids)
                first = (reader for reader in batch if reader.id in fit)
                for number, reader in enumerate(first, totals.recipient_count + 1):
                    if number > sample_count:
                        break
                    _write_sample(prepared_email, reader, aside / "samples" / f"{number}.eml", now)
                if api_request.body:
                    file.writelines((api_request.body, b"\n"))
                totals = totals.add_request(api_request)
                progress(len(api_request.recipient_ids) + len(api_request.rejected_recipients))
        _replace_folder(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    written = (folder / "samples" / f"{number}.eml" for number in range(1, sample_count + 1))
    return DryRunResult(
        totals, folder / "requests.jsonl", tuple(path for path in written if path.exists())
    )


def _build_requests(
    prepared_email: PreparedEmail, recipients: Iterable[Recipient]
) -> Iterator[tuple[tuple[Recipient, ...], PreparedRequest]]:
    for number, batch in enumerate(split_into_batches(prepared_email, recipients), 1):
        yield (
            batch,
            build_request(prepared_email, batch, RequestId(DRY_RUN_SEND_ID, str(number), "1")),
        )


def _write_sample(
    prepared_email: PreparedEmail, recipient: Recipient, path: Path, now: datetime.datetime
) -> None:
    config = prepared_email.config
    path.write_bytes(
        to_eml(
            personalize_for_recipient(
                prepared_email.email, config, recipient.attributes, recipient.token
            ),
            NamedAddress(display_name(recipient), recipient.address),
            date=now,
            message_id=f"<{prepared_email.email.issue}.{path.stem}@{get_host(config.site_url)}>",
            headers=build_unsubscribe_headers(config, recipient.token),
        )
    )


def _replace_folder(new_folder: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new_folder.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
