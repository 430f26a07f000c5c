"""Everything but the POST: the requests as they would go, and the mail as readers would see it."""

import datetime
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from newsletter.render.article.links import host
from newsletter.render.email import Address
from newsletter.render.eml import to_eml
from newsletter.render.headers import one_click
from newsletter.render.personalization import email_for
from newsletter.sending.providers.provider import Stamp
from newsletter.sending.providers.sendgrid.payload import (
    Letter,
    Request,
    batches,
    display_name,
    request,
)
from newsletter.subscribers import Reader

# The ids of a real send are made when it starts; these stand where they would.
SEND_STAMP = "dry-run"


@dataclass(frozen=True, slots=True)
class Totals:
    """What would go to the vendor.

    Attributes:
        readers: how many would be mailed.
        requests: how many requests would go.
        bytes: of all their bodies together.
        largest: of the largest body.
        unfit: how many readers no request can hold; they would be rejected, the others sent.
    """

    readers: int = 0
    requests: int = 0
    bytes: int = 0
    largest: int = 0
    unfit: int = 0

    def plus(self, one: Request) -> "Totals":
        """With one more request."""
        size = len(one.body)
        return Totals(
            self.readers + len(one.readers),
            self.requests + bool(one.body),
            self.bytes + size,
            max(self.largest, size),
            self.unfit + len(one.unfit),
        )


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a dry run has counted and written.

    Attributes:
        totals: of the requests.
        bodies: the file that holds them, one a line.
        samples: one .eml a reader, for the first few.
    """

    totals: Totals
    bodies: Path
    samples: tuple[Path, ...]


def dry_run(  # noqa: PLR0913 - what, to whom, where; and three small wishes
    letter: Letter,
    readers: Iterable[Reader],
    folder: Path,
    *,
    samples: int,
    now: datetime.datetime,
    progress: Callable[[int], None],
) -> DryRun:
    """Write what a real send of ``letter`` would POST; memory stays flat.

    Args:
        letter: the email, made ready.
        readers: who would get it; may be a stream.
        folder: replaced as a whole when all is written; left alone if anything fails.
        samples: how many readers to write an .eml for.
        now: the date in those, with a zone.
        progress: called with the number of readers just done.
    """
    aside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        (aside / "samples").mkdir(parents=True)
        totals = Totals()
        with (aside / "requests.jsonl").open("xb") as file:
            for batch, one in _requests(letter, readers):
                fit = set(one.readers)
                first = (reader for reader in batch if reader.id in fit)
                for number, reader in enumerate(first, totals.readers + 1):
                    if number > samples:
                        break
                    _sample(letter, reader, aside / "samples" / f"{number}.eml", now)
                if one.body:
                    file.writelines((one.body, b"\n"))
                totals = totals.plus(one)
                progress(len(one.readers) + len(one.unfit))
        _swap(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    written = (folder / "samples" / f"{number}.eml" for number in range(1, samples + 1))
    return DryRun(
        totals, folder / "requests.jsonl", tuple(path for path in written if path.exists())
    )


def _requests(
    letter: Letter, readers: Iterable[Reader]
) -> Iterator[tuple[tuple[Reader, ...], Request]]:
    for number, batch in enumerate(batches(letter, readers), 1):
        yield batch, request(letter, batch, Stamp(SEND_STAMP, str(number), "1"))


def _sample(letter: Letter, reader: Reader, path: Path, now: datetime.datetime) -> None:
    config = letter.config
    path.write_bytes(
        to_eml(
            email_for(letter.email, config, reader.attributes, reader.token),
            Address(display_name(reader), reader.address),
            date=now,
            message_id=f"<{letter.email.issue}.{path.stem}@{host(config.site_url)}>",
            headers=one_click(config, reader.token),
        )
    )


def _swap(aside: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
