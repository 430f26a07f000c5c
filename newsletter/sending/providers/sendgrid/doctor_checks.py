"""Check the API key, the account, the sender and the webhook at SendGrid."""

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from newsletter.config import Config
from newsletter.errors import ConfigError
from newsletter.sending.doctor_check import DoctorCheck, fail, fail_for_problem, ok, warn
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import (
    API_KEY_VARIABLE,
    LOOPBACK_HOSTS,
    SendGridClient,
    api_host,
    read_api_key,
)
from newsletter.sending.providers.sendgrid.sender_check import check_sender_identity
from newsletter.sending.providers.sendgrid.suppressions_api import LISTS

# 69 characters: the key's id and its secret (base64url).
_API_KEY_PATTERN = re.compile(r"SG\.[\w-]{22}\.[\w-]{43}", re.ASCII)
_MAX_BYTES = 1_000_000  # of a response
_WARN_SKEW, _FAIL_SKEW = 30.0, 300.0  # seconds by which the clocks may differ
_HTTP_OK, _HTTP_UNAUTHORIZED = 200, 401
_DASHBOARD_PATH = "SendGrid → Settings → API Keys → Edit"


class RequiredScope(NamedTuple):
    """A permission of the key, or several equivalent ones, and what it is for."""

    scope: str
    purpose: str
    is_mandatory: bool = False
    equivalent_scopes: tuple[str, ...] = ()


_SUPPRESSION_SCOPES = tuple(f"suppression.{name}.read" for name, *_ in LISTS if name != "group")
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


def check_sendgrid_account(
    config: Config, client: SendGridClient, domains: Sequence[str], now: datetime.datetime
) -> Iterator[DoctorCheck]:
    """Yield the checks of the key, the clock and the sender at SendGrid.

    Args:
        config: the newsletter's settings.
        client: the API client.
        domains: the sender's domain and its parents.
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
    yield check_sender_identity(config, client, domains)


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


def _parse_json(response: Response) -> Any:
    try:
        return orjson.loads(response.body)
    except ValueError:
        return None


def check_api_key(config: Config, environment: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Yield the checks of the API key, and whether email leaves this machine."""
    try:
        key = read_api_key(environment)
        server = api_host(config.sendgrid)
    except ConfigError as error:
        yield from (fail_for_problem("key", problem) for problem in error.problems)
        return
    if urlsplit(server).hostname in LOOPBACK_HOSTS:
        yield warn(
            "API",
            f"email goes to {server}, which is on this machine",
            "A fake SendGrid delivers nothing.",
            "For real sends, unset SENDGRID_HOST or remove sendgrid.host from newsletter.yml.",
        )
    elif not _API_KEY_PATTERN.fullmatch(key):
        yield warn(
            "key",
            f"{API_KEY_VARIABLE} is set, but does not look like a SendGrid API key",
            "SendGrid may reject every request.",
            "A key has 69 characters and begins with SG. — copy it again.",
        )
        return
    yield ok("key", f"{API_KEY_VARIABLE} is set")


def check_webhook(config: Config) -> DoctorCheck:
    """Check whether events can be verified."""
    if config.sendgrid.webhook_key:
        return ok("webhook", "the key that verifies SendGrid's events is set")
    if config.sendgrid.webhook_unsigned:
        return warn(
            "webhook",
            "unsigned events are accepted",
            "Anybody who finds the URL can unsubscribe readers.",
            "Turn on the Signed Event Webhook at SendGrid and set sendgrid.webhook_key.",
        )
    return warn(
        "webhook",
        "sendgrid.webhook_key is not set",
        "Bounces and complaints are only fetched by newsletter subscribers sync.",
        "See docs/how-to/webhook.md.",
    )
