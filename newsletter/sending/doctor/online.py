"""What SendGrid says of the key and of the sender, and whether our own server lets readers go."""

import datetime
import json
import secrets
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import urllib3

from newsletter.config import Config
from newsletter.config.urls import build_unsubscribe_url
from newsletter.sending.doctor.dns import domain_and_parents
from newsletter.sending.doctor.local import DoctorCheck, fail, ok, sender_domain, warn
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.suppressions_api import LIST_LABELS

_MAX_BYTES = 1_000_000  # bytes of an answer
_TIMEOUT_SECONDS = 10.0
_WARN_SKEW, _FAIL_SKEW = 30.0, 300.0  # seconds that the clocks may differ
_HTTP_OK, _HTTP_UNAUTHORIZED, _HTTP_NOT_FOUND = 200, 401, 404
_DASHBOARD_PATH = "SendGrid → Settings → API Keys → Edit"


class RequiredScope(NamedTuple):
    """A permission of the key, or several that come to the same, and what it is for."""

    scope: str
    purpose: str
    is_mandatory: bool = False
    equivalent_scopes: tuple[str, ...] = ()


_SUPPRESSION_SCOPES = tuple(f"suppression.{name}.read" for name in LIST_LABELS if name != "group")
REQUIRED_SCOPES = (
    RequiredScope("mail.send", "sending", is_mandatory=True),
    RequiredScope("mail.batch.create", "scheduled sends"),
    RequiredScope("user.scheduled_sends.create", "taking a scheduled send back"),
    RequiredScope("user.scheduled_sends.read", "knowing that it was taken back"),
    RequiredScope(
        "suppression.read", "newsletter subscribers sync", equivalent_scopes=_SUPPRESSION_SCOPES
    ),
)
_GROUP_SCOPE = RequiredScope(
    "asm.groups.suppressions.read", "knowing who has left by SendGrid's own page"
)


def check_account(
    config: Config, client: SendGridClient, now: datetime.datetime
) -> Iterator[DoctorCheck]:
    """What the API says.

    Args:
        config: the newsletter's settings.
        client: speaks to it.
        now: the time here, aware.
    """
    answer = client.get("scopes", {}, _MAX_BYTES)
    if isinstance(answer, NoResponse):
        yield fail(
            "API", f"{client.host} does not answer: {answer.reason}", "Nothing can be sent.",
            "See whether this machine is online, and status.sendgrid.com.",
        )  # fmt: skip
        return
    if answer.status == _HTTP_UNAUTHORIZED:
        yield fail(
            "API", "SendGrid does not know the key (401)", "Nothing can be sent.",
            "Make a new key, in the region of sendgrid.region, and set SENDGRID_API_KEY to it.",
        )  # fmt: skip
        return
    yield from _check_scopes(config, answer)
    yield from _check_clock(answer, now)
    yield _check_sender_identity(config, client)


def _check_scopes(config: Config, response: Response) -> Iterator[DoctorCheck]:
    found = _parse_json(response)
    scopes = found.get("scopes") if isinstance(found, dict) else None
    if response.status != _HTTP_OK or not isinstance(scopes, list):
        yield warn(
            "API", f"SendGrid does not say what the key may do ({response.status})",
            "A send may be refused.", "newsletter test --to YOUR-ADDRESS shows whether it may.",
        )  # fmt: skip
        return
    needs = (*REQUIRED_SCOPES, _GROUP_SCOPE) if config.sendgrid.asm_group else REQUIRED_SCOPES
    missing = [need for need in needs if not _has_scope(need, scopes)]
    for need in missing:
        make = fail if need.is_mandatory else warn
        yield make("API", f"the key lacks {need.scope}", f"It is for: {need.purpose}.",
                   f"Add it: {_DASHBOARD_PATH}.")  # fmt: skip
    if not missing:
        yield ok("API", "the key may do all that is asked of it")


def _has_scope(required: RequiredScope, scopes: list[Any]) -> bool:
    return required.scope in scopes or bool(
        required.equivalent_scopes and all(one in scopes for one in required.equivalent_scopes)
    )


def _check_clock(response: Response, now: datetime.datetime) -> Iterator[DoctorCheck]:
    try:
        there = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return
    if there.tzinfo is None:
        return
    apart = abs((there - now).total_seconds())
    if apart > _WARN_SKEW:
        make = fail if apart > _FAIL_SKEW else warn
        yield make(
            "clock", f"this machine's clock is {apart:,.0f} s off SendGrid's",
            "Scheduled sends leave at another time, and signed events are refused.",
            "Set it (NTP).",
        )  # fmt: skip
    else:
        yield ok("clock", "agrees with SendGrid's")


def _check_sender_identity(config: Config, client: SendGridClient) -> DoctorCheck:
    """Whether SendGrid may send as the sender: the domain, or at least the address."""
    domain, address = sender_domain(config), config.sender.address.lower()
    domains, senders = (
        _parse_rows(client.get(path, {"limit": "100"}, _MAX_BYTES))
        for path in ("whitelabel/domains", "verified_senders")
    )
    mine = [
        one
        for one in domains or ()
        if str(one.get("domain", "")).lower() in domain_and_parents(domain)
    ]
    if any(one.get("valid") is True for one in mine):
        return ok("sender at SendGrid", f"{domain} is authenticated")
    if mine:
        return fail(
            "sender at SendGrid", f"{domain} is set up, but not verified",
            "Its mails are not signed as yours.",
            "Publish its records, then Verify: SendGrid → Settings → Sender Authentication.",
        )  # fmt: skip
    known = [one for one in senders or () if str(one.get("from_email", "")).lower() == address]
    if any(one.get("verified") is True for one in known):
        return warn(
            "sender at SendGrid", f"{address} is verified, its domain is not authenticated",
            "Mails are signed by SendGrid, not by you: DMARC can't pass.",
            "Authenticate the domain: SendGrid → Settings → Sender Authentication.",
        )  # fmt: skip
    if domains is None or senders is None:
        return warn(
            "sender at SendGrid", "the key may not ask whether the sender is verified",
            "SendGrid refuses mail from senders that are not.",
            "Look at: SendGrid → Settings → Sender Authentication.",
        )  # fmt: skip
    return fail(
        "sender at SendGrid", f"neither {address} nor its domain is verified",
        "SendGrid refuses every mail from it (403).",
        "Authenticate the domain: SendGrid → Settings → Sender Authentication.",
    )  # fmt: skip


def _parse_rows(response: Response | NoResponse) -> list[dict[str, Any]] | None:
    """The objects of a list; ``None`` if the key may not ask, or it can't be understood."""
    if isinstance(response, NoResponse) or response.status != _HTTP_OK:
        return None
    data = _parse_json(response)
    rows = data.get("results") if isinstance(data, dict) else data
    return [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else None


def _parse_json(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except ValueError:
        return None


def check_one_click_unsubscribe(config: Config) -> Iterator[DoctorCheck]:
    """Whether the server of the List-Unsubscribe header takes a one-click POST (RFC 8058).

    The token is made up, and nobody's: our server says so, with a page that no other has.
    """
    if not config.public_url:
        return
    url = build_unsubscribe_url(config, f"doctor-{secrets.token_urlsafe(16)}")
    try:
        with urllib3.PoolManager(retries=False, timeout=_TIMEOUT_SECONDS) as pool:
            reply = pool.request(
                "POST", url, fields={"List-Unsubscribe": "One-Click"}, encode_multipart=False,
                redirect=False, preload_content=False,
            )  # fmt: skip
    except (urllib3.exceptions.HTTPError, OSError) as error:
        yield fail(
            "one-click", f"{config.public_url} does not answer: {_describe_error(error)}",
            "Readers can't leave, and report spam instead.",
            "Start it: newsletter serve, behind your https proxy.",
        )  # fmt: skip
        return
    yield _check_unsubscribe_response(config, reply)


def _check_unsubscribe_response(config: Config, response: urllib3.BaseHTTPResponse) -> DoctorCheck:
    if _is_redirect(response.status):
        return fail(
            "one-click", f"{config.public_url} redirects ({response.status})",
            "Mail programs don't follow: their unsubscribe button does nothing (RFC 8058 3.1).",
            f"Set public_url to where it leads: {response.headers.get('Location', '')[:80]}",
        )  # fmt: skip
    policies = response.headers.get("Referrer-Policy", "").split(",")  # a proxy may add its own
    ours = "no-referrer" in {one.strip() for one in policies}
    if response.status == _HTTP_NOT_FOUND and ours:
        return ok("one-click", f"{config.public_url} takes a POST, and knows no made-up reader")
    return fail(
        "one-click", f"something else answers at {config.public_url} ({response.status})",
        "Readers can't leave, and report spam instead.",
        "Let the proxy pass /u/ and /p/ on to newsletter serve, POST included.",
    )  # fmt: skip


def _is_redirect(status: int) -> bool:
    return status in {301, 302, 303, 307, 308}


def _describe_error(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
