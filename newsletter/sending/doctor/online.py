"""Check API key and sender at SendGrid, and one-click unsubscribe."""

import datetime
import secrets
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson
import urllib3

from newsletter.config import Config
from newsletter.config.urls import build_unsubscribe_url
from newsletter.sending.doctor.check import DoctorCheck, fail, ok, warn
from newsletter.sending.doctor.dns import domain_and_parents
from newsletter.sending.doctor.local import sender_domain
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.suppressions_api import LIST_LABELS

_MAX_BYTES = 1_000_000  # of a response
_TIMEOUT_SECONDS = 10.0
_WARN_SKEW, _FAIL_SKEW = 30.0, 300.0  # seconds by which the clocks may differ
_HTTP_OK, _HTTP_UNAUTHORIZED, _HTTP_NOT_FOUND = 200, 401, 404
_DASHBOARD_PATH = "SendGrid → Settings → API Keys → Edit"


class RequiredScope(NamedTuple):
    """A permission of the key, or several equivalent ones, and what it is for."""

    scope: str
    purpose: str
    is_mandatory: bool = False
    equivalent_scopes: tuple[str, ...] = ()


_SUPPRESSION_SCOPES = tuple(f"suppression.{name}.read" for name in LIST_LABELS if name != "group")
REQUIRED_SCOPES = (
    RequiredScope("mail.send", "sending", is_mandatory=True),
    RequiredScope("mail.batch.create", "scheduled sends"),
    RequiredScope("user.scheduled_sends.create", "cancelling a scheduled send"),
    RequiredScope("user.scheduled_sends.read", "confirming the cancellation"),
    RequiredScope(
        "suppression.read", "newsletter subscribers sync", equivalent_scopes=_SUPPRESSION_SCOPES
    ),
)
_GROUP_SCOPE = RequiredScope(
    "asm.groups.suppressions.read", "reading who has unsubscribed on SendGrid's own page"
)


def check_account(
    config: Config, client: SendGridClient, now: datetime.datetime
) -> Iterator[DoctorCheck]:
    """Yield the checks of the key, the clock and the sender at SendGrid.

    Args:
        config: the newsletter's settings.
        client: the API client.
        now: the time of this machine, aware.
    """
    response = client.get("scopes", {}, _MAX_BYTES)
    if isinstance(response, NoResponse):
        yield fail(
            "API",
            f"no response from {client.host}: {response.reason}",
            "Nothing can be sent.",
            "Check this machine's internet connection, and status.sendgrid.com.",
        )
        return
    if response.status == _HTTP_UNAUTHORIZED:
        yield fail(
            "API",
            "SendGrid rejects the API key (401)",
            "Nothing can be sent.",
            "Create a new key, in the region of sendgrid.region, and set SENDGRID_API_KEY to it.",
        )
        return
    yield from _check_scopes(config, response)
    yield from _check_clock(response, now)
    yield _check_sender_identity(config, client)


def _check_scopes(config: Config, response: Response) -> Iterator[DoctorCheck]:
    data = _parse_json(response)
    scopes = data.get("scopes") if isinstance(data, dict) else None
    if response.status != _HTTP_OK or not isinstance(scopes, list):
        yield warn(
            "API",
            f"could not fetch the key's permissions ({response.status})",
            "A send may be refused.",
            "Try: newsletter test --to YOUR-ADDRESS",
        )
        return
    required = (*REQUIRED_SCOPES, _GROUP_SCOPE) if config.sendgrid.asm_group else REQUIRED_SCOPES
    missing = [scope for scope in required if not _has_scope(scope, scopes)]
    for scope in missing:
        make = fail if scope.is_mandatory else warn
        yield make(
            "API",
            f"the key lacks {scope.scope}",
            f"It is needed for {scope.purpose}.",
            f"Add it: {_DASHBOARD_PATH}.",
        )
    if not missing:
        yield ok("API", "the key has all permissions that are needed")


def _has_scope(required: RequiredScope, scopes: list[Any]) -> bool:
    return required.scope in scopes or bool(
        required.equivalent_scopes and all(scope in scopes for scope in required.equivalent_scopes)
    )


def _check_clock(response: Response, now: datetime.datetime) -> Iterator[DoctorCheck]:
    try:
        server_time = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, OverflowError):
        return
    if server_time.tzinfo is None:
        return
    skew = abs((server_time - now).total_seconds())
    if skew > _WARN_SKEW:
        make = fail if skew > _FAIL_SKEW else warn
        yield make(
            "clock",
            f"this machine's clock is {skew:,.0f} s off SendGrid's",
            "Scheduled sends go out at the wrong time, and signed events are rejected.",
            "Synchronize it (NTP).",
        )
    else:
        yield ok("clock", "in sync with SendGrid's")


def _check_sender_identity(config: Config, client: SendGridClient) -> DoctorCheck:
    """Check whether SendGrid may send as the sender: the domain, or at least the address."""
    domain, address = sender_domain(config), config.sender.address.lower()
    domains, senders = (
        _parse_rows(client.get(path, {"limit": "100"}, _MAX_BYTES))
        for path in ("whitelabel/domains", "verified_senders")
    )
    matching_domains = [
        row
        for row in domains or ()
        if str(row.get("domain", "")).lower() in domain_and_parents(domain)
    ]
    if any(row.get("valid") is True for row in matching_domains):
        return ok("sender at SendGrid", f"{domain} is authenticated")
    if matching_domains:
        return fail(
            "sender at SendGrid",
            f"{domain} is set up, but not verified",
            "Emails are not signed by your domain.",
            "Publish its records, then Verify: SendGrid → Settings → Sender Authentication.",
        )
    matching_senders = [
        row for row in senders or () if str(row.get("from_email", "")).lower() == address
    ]
    if any(row.get("verified") is True for row in matching_senders):
        return warn(
            "sender at SendGrid",
            f"{address} is verified, its domain is not authenticated",
            "Emails are signed by SendGrid, not by your domain: DMARC can't pass.",
            "Authenticate the domain: SendGrid → Settings → Sender Authentication.",
        )
    if domains is None or senders is None:
        return warn(
            "sender at SendGrid",
            "the key may not read whether the sender is verified",
            "SendGrid rejects email from unverified senders.",
            "Check it: SendGrid → Settings → Sender Authentication.",
        )
    return fail(
        "sender at SendGrid",
        f"neither {address} nor its domain is verified",
        "SendGrid rejects every email from it (403).",
        "Authenticate the domain: SendGrid → Settings → Sender Authentication.",
    )


def _parse_rows(response: Response | NoResponse) -> list[dict[str, Any]] | None:
    """Return the objects of a list, or ``None`` if the key may not read it or it is invalid."""
    if isinstance(response, NoResponse) or response.status != _HTTP_OK:
        return None
    data = _parse_json(response)
    rows = data.get("results") if isinstance(data, dict) else data
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _parse_json(response: Response) -> Any:
    try:
        return orjson.loads(response.body)
    except ValueError:
        return None


def check_one_click_unsubscribe(config: Config) -> Iterator[DoctorCheck]:
    """Yield whether the server in the List-Unsubscribe header accepts a one-click POST (RFC 8058).

    The token is random and belongs to nobody: our server is recognised by a 404 with its
    Referrer-Policy.
    """
    if not config.public_url:
        return
    url = build_unsubscribe_url(config, f"doctor-{secrets.token_urlsafe(16)}")
    try:
        with urllib3.PoolManager(retries=False, timeout=_TIMEOUT_SECONDS) as pool:
            response = pool.request(
                "POST",
                url,
                fields={"List-Unsubscribe": "One-Click"},
                encode_multipart=False,
                redirect=False,
                preload_content=False,
            )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        yield fail(
            "one-click",
            f"no response from {config.public_url}: {_describe_error(error)}",
            "Readers can't unsubscribe, and report spam instead.",
            "Start newsletter serve behind your https proxy.",
        )
        return
    yield _check_unsubscribe_response(config, response)


def _check_unsubscribe_response(config: Config, response: urllib3.BaseHTTPResponse) -> DoctorCheck:
    if _is_redirect(response.status):
        return fail(
            "one-click",
            f"{config.public_url} redirects ({response.status})",
            "Mail clients don't follow: their unsubscribe button does nothing (RFC 8058 3.1).",
            f"Set public_url to the target: {response.headers.get('Location', '')[:80]}",
        )
    policies = response.headers.get("Referrer-Policy", "").split(",")  # a proxy may add its own
    is_ours = "no-referrer" in {policy.strip() for policy in policies}
    if response.status == _HTTP_NOT_FOUND and is_ours:
        return ok("one-click", f"{config.public_url} accepts POST and rejects an unknown token")
    return fail(
        "one-click",
        f"a different server responds at {config.public_url} ({response.status})",
        "Readers can't unsubscribe, and report spam instead.",
        "Configure the proxy to pass /u/ and /p/ to newsletter serve, POST included.",
    )


def _is_redirect(status: int) -> bool:
    return status in {301, 302, 303, 307, 308}


def _describe_error(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "timed out" if isinstance(error, TimeoutError) else type(error).__name__
