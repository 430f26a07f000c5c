"""Check the account at the provider, and one-click unsubscribe."""

import datetime
import secrets
from collections.abc import Iterator

import urllib3

from newsletter.config import Config
from newsletter.config.urls import build_unsubscribe_url
from newsletter.sending.doctor.dns import domain_and_parents
from newsletter.sending.doctor.local import sender_domain
from newsletter.sending.doctor_check import DoctorCheck, fail, ok
from newsletter.sending.providers.provider import ProviderClient
from newsletter.sending.providers.registry import get_provider

_TIMEOUT_SECONDS = 10.0
_HTTP_NOT_FOUND = 404


def check_account(
    config: Config, client: ProviderClient, now: datetime.datetime
) -> Iterator[DoctorCheck]:
    """Yield the checks of the key, the clock and the sender at the provider.

    Args:
        config: the newsletter's settings.
        client: the provider's client.
        now: the time of this machine, aware.
    """
    domains = domain_and_parents(sender_domain(config))
    yield from get_provider(config).check_account(client, domains, now)


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
