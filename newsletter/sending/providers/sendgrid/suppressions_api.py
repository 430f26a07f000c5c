"""Fetch SendGrid's suppression lists page by page, with retries."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from newsletter.errors import MissingPermissionError, ProviderError
from newsletter.sending.providers.provider import Outcome, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.outcomes import classify_response
from newsletter.sending.providers.suppressions import ProviderSuppression, SuppressionList

PAGE_SIZE = 500
MAX_ATTEMPTS = 5
# A group's list has no pages: a million addresses of 40 bytes fit.
MAX_RESPONSE_BYTES = 64_000_000

LISTS = (
    SuppressionList("bounces", "bounces", "bounced"),
    SuppressionList("invalid_emails", "invalid addresses", "bounced"),
    SuppressionList("unsubscribes", "global unsubscribes", "unsubscribed"),
    SuppressionList("group", "group unsubscribes", "unsubscribed", has_dates=False),
    SuppressionList("spam_reports", "spam reports", "complained"),
    # Blocked emails are retried, so blocks change no status.
    SuppressionList("blocks", "blocks", ""),
)
LIST_LABELS = {found.name: found.label for found in LISTS}


@dataclass(frozen=True, slots=True)
class SuppressionClient:
    """Client for the suppression lists of one account.

    Attributes:
        client: the API client of the account.
        sleep: waits for a number of seconds.
        now: returns the time, aware.
        backoff: number of failed tries -> seconds to wait before the next one.
        group: the id of the unsubscribe group, if there is one.
    """

    client: SendGridClient
    sleep: Callable[[float], None]
    now: Callable[[], datetime.datetime]
    backoff: Callable[[int], float]
    group: int | None = None

    @property
    def lists(self) -> Sequence[SuppressionList]:
        """The lists, in the order in which they are to be fetched."""
        return [found for found in LISTS if found.name != "group" or self.group is not None]

    def iter_pages(
        self, list_name: str, since: datetime.datetime | None, until: datetime.datetime
    ) -> Iterator[list[ProviderSuppression]]:
        """Yield the entries of a list that were created in a period, at most 500 at a time.

        Args:
            list_name: a name in ``LISTS``. The whole list of the group is returned.
            since: the start of the period; ``None`` for the whole list.
            until: the end of the period, so that new entries don't shift the pages.

        Raises:
            ProviderError: SendGrid refuses, can't be reached, or returns invalid data.
        """
        if list_name == "group":
            assert self.group is not None
            entries = self.get_group(self.group)
            yield from (entries[n : n + PAGE_SIZE] for n in range(0, len(entries), PAGE_SIZE))
            return
        query = {"limit": str(PAGE_SIZE), "end_time": str(int(until.timestamp()))}
        if since:
            query["start_time"] = str(int(since.timestamp()))
        previous_rows: list[Any] = []
        for offset in range(0, 1 << 62, PAGE_SIZE):
            rows = self._fetch_rows(
                f"suppression/{list_name}", {**query, "offset": str(offset)}, list_name
            )
            if rows and rows == previous_rows:
                raise ProviderError(
                    f"SendGrid keeps returning the same page of {LIST_LABELS[list_name]}",
                    remedy="Nothing is lost: run it again later.",
                )
            yield [_parse_entry(row, list_name) for row in rows]
            if len(rows) < PAGE_SIZE:
                return
            previous_rows = rows

    def get_group(self, group_id: int) -> list[ProviderSuppression]:
        """Return everybody who has unsubscribed from an unsubscribe group.

        Raises:
            ProviderError: as for ``iter_pages``, or there is no such group.
        """
        rows = self._fetch_rows(f"asm/groups/{group_id}/suppressions", {}, "group")
        if not all(isinstance(row, str) for row in rows):
            raise _invalid_list_error("group")
        return [ProviderSuppression(row, None, "") for row in rows]

    def _fetch_rows(self, path: str, query: Mapping[str, str], list_name: str) -> list[Any]:
        """Fetch one page, retrying where that may help: reading changes nothing."""
        for tries in range(1, MAX_ATTEMPTS + 1):
            response = self.client.get(path, query, MAX_RESPONSE_BYTES)
            if isinstance(response, Response) and response.status == HTTPStatus.OK:
                rows = _parse_rows(response.body)
                if rows is not None:
                    return rows
                error, retry_at = _invalid_list_error(list_name), None
            else:
                outcome = classify_response(response, self.now())
                error, retry_at = _list_error(outcome, list_name), outcome.retry_at
                if outcome.kind in {"blocked", "rejected"}:
                    break
            if tries < MAX_ATTEMPTS:
                self.sleep(self._retry_delay(tries, retry_at))
        raise error

    def _retry_delay(self, tries: int, retry_at: datetime.datetime | None) -> float:
        if retry_at:
            return max((retry_at - self.now()).total_seconds(), 0.0)
        return self.backoff(tries)


def _parse_rows(body: bytes) -> list[Any] | None:
    """Return the entries in a body, or ``None`` if it is truncated or not a list."""
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
        f"could not parse SendGrid's list of {LIST_LABELS[list_name]}",
        remedy="Nothing is lost: run it again later.",
    )


def _list_error(outcome: Outcome, list_name: str) -> ProviderError:
    message = f"could not fetch SendGrid's list of {LIST_LABELS[list_name]}: {outcome.message}"
    if outcome.status == HTTPStatus.FORBIDDEN:
        scope = (
            "asm.groups.suppressions.read"
            if list_name == "group"
            else f"suppression.{list_name}.read"
        )
        permission = "Unsubscribe Groups" if list_name == "group" else "Suppressions"
        remedy = f"Give the key the {permission} permission at SendGrid (scope {scope})."
        return MissingPermissionError(message, remedy=remedy)
    if outcome.status == HTTPStatus.NOT_FOUND and list_name == "group":
        remedy = "Check sendgrid.asm_group in newsletter.yml: the account has no such group."
    elif outcome.kind == "blocked":
        remedy = outcome.remedy
    else:
        remedy = "What has been fetched is kept: run it again later for the rest."
    return ProviderError(message, remedy=remedy)
