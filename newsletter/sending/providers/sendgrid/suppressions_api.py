"""SendGrid's lists of suppressed addresses over HTTP, page by page."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from newsletter.errors import ProviderError
from newsletter.sending.providers.provider import Outcome, Reply
from newsletter.sending.providers.sendgrid.client import Mailer
from newsletter.sending.providers.sendgrid.outcomes import judge

PAGE_SIZE = 500
TRIES = 5
# A group's answer has no pages: a million addresses of 40 bytes fit.
MOST_BYTES = 64_000_000

# The list's name in the API -> how the vendor's own pages call it.
NAMES: Mapping[str, str] = {
    "bounces": "bounces",
    "invalid_emails": "invalid addresses",
    "unsubscribes": "global unsubscribes",
    "group": "group unsubscribes",
    "spam_reports": "spam reports",
    "blocks": "blocks",
}


class Suppressed(NamedTuple):
    """One entry of one list.

    Attributes:
        address: as the vendor wrote it.
        at: since when; ``None`` in a group's list, which doesn't say.
        reason: the vendor's or the mail server's words, perhaps ``""``.
    """

    address: str
    at: datetime.datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of one account.

    Attributes:
        mailer: who speaks to the account.
        wait: waits so many seconds.
        now: the time, aware.
        backoff: the seconds before the next try, after so many failed ones.
    """

    mailer: Mailer
    wait: Callable[[float], None]
    now: Callable[[], datetime.datetime]
    backoff: Callable[[int], float]

    def pages(
        self, name: str, since: datetime.datetime | None, until: datetime.datetime
    ) -> Iterator[list[Suppressed]]:
        """The entries of a list that were made in a time, at most 500 at once.

        Args:
            name: one of the API's: ``bounces``, ``blocks``, ...
            since: from then on; ``None`` for the whole list.
            until: up to then, so that new entries don't shift the pages.

        Raises:
            VendorError: the vendor refuses, or can't be reached, or answers nonsense.
        """
        query = {"limit": str(PAGE_SIZE), "end_time": str(int(until.timestamp()))}
        if since:
            query["start_time"] = str(int(since.timestamp()))
        earlier: list[Any] = []
        for offset in range(0, 1 << 62, PAGE_SIZE):
            rows = self._get(f"suppression/{name}", {**query, "offset": str(offset)}, name)
            if rows and rows == earlier:
                raise ProviderError(
                    f"SendGrid answers with the same page of {NAMES[name]} again and again",
                    remedy="Nothing is lost: run it again later.",
                )
            yield [_entry(row, name) for row in rows]
            if len(rows) < PAGE_SIZE:
                return
            earlier = rows

    def group(self, number: int) -> list[Suppressed]:
        """Everybody who has left an unsubscribe group.

        Raises:
            VendorError: as for ``pages``, or there is no such group.
        """
        rows = self._get(f"asm/groups/{number}/suppressions", {}, "group")
        if not all(isinstance(row, str) for row in rows):
            raise _nonsense("group")
        return [Suppressed(row, None, "") for row in rows]

    def _get(self, path: str, query: Mapping[str, str], name: str) -> list[Any]:
        """Ask, and ask again where that may help: reading changes nothing."""
        for tries in range(1, TRIES + 1):
            answer = self.mailer.get(path, query, MOST_BYTES)
            if isinstance(answer, Reply) and answer.status == HTTPStatus.OK:
                rows = _parse_rows(answer.body)
                if rows is not None:
                    return rows
                refusal, until = _nonsense(name), None
            else:
                outcome = judge(answer, self.now())
                refusal, until = _refusal(outcome, name), outcome.until
                if outcome.kind in {"blocked", "rejected"}:
                    break
            if tries < TRIES:
                self.wait(self._pause(tries, until))
        raise refusal

    def _pause(self, tries: int, until: datetime.datetime | None) -> float:
        if until:
            return max((until - self.now()).total_seconds(), 0.0)
        return self.backoff(tries)


def _parse_rows(body: bytes) -> list[Any] | None:
    """The entries in an answer; ``None`` if it was cut off on the way or is no list."""
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return rows if isinstance(rows, list) else None


def _entry(row: Any, name: str) -> Suppressed:
    try:
        at = datetime.datetime.fromtimestamp(row["created"], datetime.UTC)
        address, reason = row["email"], row.get("reason") or ""
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise _nonsense(name) from error
    if not isinstance(address, str) or not isinstance(reason, str):
        raise _nonsense(name)
    return Suppressed(address, at, reason)


def _nonsense(name: str) -> ProviderError:
    return ProviderError(
        f"SendGrid's list of {NAMES[name]} can't be read",
        remedy="Nothing is lost: run it again later.",
    )


def _refusal(outcome: Outcome, name: str) -> ProviderError:
    words = f"SendGrid's list of {NAMES[name]} can't be had: {outcome.words}"
    if outcome.status == HTTPStatus.FORBIDDEN:
        scope = "asm.groups.suppressions.read" if name == "group" else f"suppression.{name}.read"
        permission = "Unsubscribe Groups" if name == "group" else "Suppressions"
        remedy = f"Give the key the permission {permission} at SendGrid (scope {scope})."
    elif outcome.status == HTTPStatus.NOT_FOUND and name == "group":
        remedy = "Check sendgrid.asm_group in newsletter.yml: the account has no such group."
    elif outcome.kind == "blocked":
        remedy = outcome.remedy
    else:
        remedy = "What was fetched is kept: run it again later for the rest."
    return ProviderError(words, remedy=remedy)
