"""What SendGrid says of the key and of the sender, and whether our own server lets readers go."""

import datetime
import json
import secrets
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import urllib3

from newsletter.config import Config
from newsletter.config.urls import unsubscribe_url
from newsletter.sending.doctor.dns import above
from newsletter.sending.doctor.local import Line, domain_of, fail, ok, warn
from newsletter.sending.providers.provider import Reply, Silence
from newsletter.sending.providers.sendgrid.client import Mailer
from newsletter.sending.providers.sendgrid.suppressions_api import NAMES

_MOST = 1_000_000  # bytes of an answer
_SECONDS = 10.0
_LOOK, _WRONG = 30.0, 300.0  # seconds that the clocks may differ
_OK, _UNAUTHORISED, _NOT_FOUND = 200, 401, 404
_DASHBOARD = "SendGrid → Settings → API Keys → Edit"


class Need(NamedTuple):
    """A permission of the key, or several that come to the same, and what it is for."""

    scope: str
    what_for: str
    must: bool = False
    parts: tuple[str, ...] = ()


_LISTS = tuple(f"suppression.{name}.read" for name in NAMES if name != "group")
NEEDS = (
    Need("mail.send", "sending", must=True),
    Need("mail.batch.create", "scheduled sends"),
    Need("user.scheduled_sends.create", "taking a scheduled send back"),
    Need("user.scheduled_sends.read", "knowing that it was taken back"),
    Need("suppression.read", "newsletter subscribers sync", parts=_LISTS),
)
_GROUP = Need("asm.groups.suppressions.read", "knowing who has left by SendGrid's own page")


def examine_account(config: Config, mailer: Mailer, now: datetime.datetime) -> Iterator[Line]:
    """What the API says.

    Args:
        config: the newsletter's settings.
        mailer: speaks to it.
        now: the time here, aware.
    """
    answer = mailer.get("scopes", {}, _MOST)
    if isinstance(answer, Silence):
        yield fail(
            "API", f"{mailer.host} does not answer: {answer.reason}", "Nothing can be sent.",
            "See whether this machine is online, and status.sendgrid.com.",
        )  # fmt: skip
        return
    if answer.status == _UNAUTHORISED:
        yield fail(
            "API", "SendGrid does not know the key (401)", "Nothing can be sent.",
            "Make a new key, in the region of sendgrid.region, and set SENDGRID_API_KEY to it.",
        )  # fmt: skip
        return
    yield from _scopes(config, answer)
    yield from _clock(answer, now)
    yield _identity(config, mailer)


def _scopes(config: Config, answer: Reply) -> Iterator[Line]:
    found = _data(answer)
    scopes = found.get("scopes") if isinstance(found, dict) else None
    if answer.status != _OK or not isinstance(scopes, list):
        yield warn(
            "API", f"SendGrid does not say what the key may do ({answer.status})",
            "A send may be refused.", "newsletter test --to YOUR-ADDRESS shows whether it may.",
        )  # fmt: skip
        return
    needs = (*NEEDS, _GROUP) if config.sendgrid.asm_group else NEEDS
    missing = [need for need in needs if not _may(need, scopes)]
    for need in missing:
        make = fail if need.must else warn
        yield make("API", f"the key lacks {need.scope}", f"It is for: {need.what_for}.",
                   f"Add it: {_DASHBOARD}.")  # fmt: skip
    if not missing:
        yield ok("API", "the key may do all that is asked of it")


def _may(need: Need, scopes: list[Any]) -> bool:
    return need.scope in scopes or bool(need.parts and all(one in scopes for one in need.parts))


def _clock(answer: Reply, now: datetime.datetime) -> Iterator[Line]:
    try:
        there = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return
    if there.tzinfo is None:
        return
    apart = abs((there - now).total_seconds())
    if apart > _LOOK:
        make = fail if apart > _WRONG else warn
        yield make(
            "clock", f"this machine's clock is {apart:,.0f} s off SendGrid's",
            "Scheduled sends leave at another time, and signed events are refused.",
            "Set it (NTP).",
        )  # fmt: skip
    else:
        yield ok("clock", "agrees with SendGrid's")


def _identity(config: Config, mailer: Mailer) -> Line:
    """Whether SendGrid may send as the sender: the domain, or at least the address."""
    domain, address = domain_of(config), config.sender.address.lower()
    domains, senders = (
        _parse_rows(mailer.get(path, {"limit": "100"}, _MOST))
        for path in ("whitelabel/domains", "verified_senders")
    )
    mine = [one for one in domains or () if str(one.get("domain", "")).lower() in above(domain)]
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


def _parse_rows(answer: Reply | Silence) -> list[dict[str, Any]] | None:
    """The objects of a list; ``None`` if the key may not ask, or it can't be understood."""
    if isinstance(answer, Silence) or answer.status != _OK:
        return None
    data = _data(answer)
    rows = data.get("results") if isinstance(data, dict) else data
    return [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else None


def _data(answer: Reply) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def examine_way_out(config: Config) -> Iterator[Line]:
    """Whether the server of the List-Unsubscribe header takes a one-click POST (RFC 8058).

    The token is made up, and nobody's: our server says so, with a page that no other has.
    """
    if not config.public_url:
        return
    url = unsubscribe_url(config, f"doctor-{secrets.token_urlsafe(16)}")
    try:
        with urllib3.PoolManager(retries=False, timeout=_SECONDS) as pool:
            reply = pool.request(
                "POST", url, fields={"List-Unsubscribe": "One-Click"}, encode_multipart=False,
                redirect=False, preload_content=False,
            )  # fmt: skip
    except (urllib3.exceptions.HTTPError, OSError) as error:
        yield fail(
            "one-click", f"{config.public_url} does not answer: {_cause(error)}",
            "Readers can't leave, and report spam instead.",
            "Start it: newsletter serve, behind your https proxy.",
        )  # fmt: skip
        return
    yield _way_out(config, reply)


def _way_out(config: Config, reply: urllib3.BaseHTTPResponse) -> Line:
    if _redirects(reply.status):
        return fail(
            "one-click", f"{config.public_url} redirects ({reply.status})",
            "Mail programs don't follow: their unsubscribe button does nothing (RFC 8058 3.1).",
            f"Set public_url to where it leads: {reply.headers.get('Location', '')[:80]}",
        )  # fmt: skip
    policies = reply.headers.get("Referrer-Policy", "").split(",")  # a proxy may add its own
    ours = "no-referrer" in {one.strip() for one in policies}
    if reply.status == _NOT_FOUND and ours:
        return ok("one-click", f"{config.public_url} takes a POST, and knows no made-up reader")
    return fail(
        "one-click", f"something else answers at {config.public_url} ({reply.status})",
        "Readers can't leave, and report spam instead.",
        "Let the proxy pass /u/ and /p/ on to newsletter serve, POST included.",
    )  # fmt: skip


def _redirects(status: int) -> bool:
    return status in {301, 302, 303, 307, 308}


def _cause(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
