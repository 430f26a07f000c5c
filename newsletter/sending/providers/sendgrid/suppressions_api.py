"""SendGrid's lists of suppressed addresses over HTTP, page by page."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from newsletter.errors import ProviderError
from newsletter.sending.providers.provider import Outcome, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.outcomes import classify_response

PAGE_SIZE = 500
MAX_ATTEMPTS = 5
# A group's answer has no pages: a million addresses of 40 bytes fit.
MAX_RESPONSE_BYTES = 64_000_000

# The list's name in the API -> how the vendor's own pages call it.
LIST_LABELS: Mapping[str, str] = {
    "bounces": "bounces",
    "invalid_emails": "invalid addresses",
    "unsubscribes": "global unsubscribes",
    "group": "group unsubscribes",
    "spam_reports": "spam reports",
    "blocks": "blocks",
}


class ProviderSuppression(NamedTuple):
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
class SuppressionClient:
    """The lists of one account.

    Attributes:
        client: who speaks to the account.
        sleep: waits so many seconds.
        now: the time, aware.
        backoff: the seconds before the next try, after so many failed ones.
    """

    client: SendGridClient
    sleep: Callable[[float], None]
    now: Callable[[], datetime.datetime]
    backoff: Callable[[int], float]

    def iter_pages(
        self, list_name: str, since: datetime.datetime | None, until: datetime.datetime
    ) -> Iterator[list[ProviderSuppression]]:
        """The entries of a list that were made in a time, at most 500 at once.

        Args:
            list_name: one of the API's: ``bounces``, ``blocks``, ...
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
            rows = self._fetch_rows(
                f"suppression/{list_name}", {**query, "offset": str(offset)}, list_name
            )
            if rows and rows == earlier:
                raise ProviderError(
                    f"SendGrid answers with the same page of {LIST_LABELS[list_name]} "
                    "again and again",
                    remedy="Nothing is lost: run it again later.",
                )
            yield [_parse_entry(row, list_name) for row in rows]
            if len(rows) < PAGE_SIZE:
                return
            earlier = rows

    def get_group(self, group_id: int) -> list[ProviderSuppression]:
        """Everybody who has left an unsubscribe group.

        Raises:
            VendorError: as for ``pages``, or there is no such group.
        """
        rows = self._fetch_rows(f"asm/groups/{group_id}/suppressions", {}, "group")
        if not all(isinstance(row, str) for row in rows):
            raise _invalid_list_error("group")
        return [ProviderSuppression(row, None, "") for row in rows]

    def _fetch_rows(self, path: str, query: Mapping[str, str], list_name: str) -> list[Any]:
        """Ask, and ask again where that may help: reading changes nothing."""
        for tries in range(1, MAX_ATTEMPTS + 1):
            answer = self.client.get(path, query, MAX_RESPONSE_BYTES)
            if isinstance(answer, Response) and answer.status == HTTPStatus.OK:
                rows = _parse_rows(answer.body)
                if rows is not None:
                    return rows
                refusal, until = _invalid_list_error(list_name), None
            else:
                outcome = classify_response(answer, self.now())
                refusal, until = _list_error(outcome, list_name), outcome.retry_at
                if outcome.kind in {"blocked", "rejected"}:
                    break
            if tries < MAX_ATTEMPTS:
                self.sleep(self._retry_delay(tries, until))
        raise refusal

    def _retry_delay(self, tries: int, until: datetime.datetime | None) -> float:
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


def _parse_entry(row: Any, list_name: str) -> ProviderSuppression:
    try:
        at = datetime.datetime.fromtimestamp(row["created"], datetime.UTC)
        address, reason = row["email"], row.get("reason") or ""
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise _invalid_list_error(list_name) from error
    if not isinstance(address, str) or not isinstance(reason, str):
        raise _invalid_list_error(list_name)
    return ProviderSuppression(address, at, reason)


def _invalid_list_error(list_name: str) -> ProviderError:
    return ProviderError(
        f"SendGrid's list of {LIST_LABELS[list_name]} can't be read",
        remedy="Nothing is lost: run it again later.",
    )


def _list_error(outcome: Outcome, list_name: str) -> ProviderError:
    words = f"SendGrid's list of {LIST_LABELS[list_name]} can't be had: {outcome.message}"
    if outcome.status == HTTPStatus.FORBIDDEN:
        scope = (
            "asm.groups.suppressions.read"
            if list_name == "group"
            else f"suppression.{list_name}.read"
        )
        permission = "Unsubscribe Groups" if list_name == "group" else "Suppressions"
        remedy = f"Give the key the permission {permission} at SendGrid (scope {scope})."
    elif outcome.status == HTTPStatus.NOT_FOUND and list_name == "group":
        remedy = "Check sendgrid.asm_group in newsletter.yml: the account has no such group."
    elif outcome.kind == "blocked":
        remedy = outcome.remedy
    else:
        remedy = "What was fetched is kept: run it again later for the rest."
    return ProviderError(words, remedy=remedy)
