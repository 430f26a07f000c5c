"""Check on the web, before a send, that readers will see its images."""

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from lxml import etree

from newsletter import __version__
from newsletter.checks.online.checker import check_urls
from newsletter.config import Config
from newsletter.config.urls import build_image_url
from newsletter.errors import Problem
from newsletter.fetch.safe_fetch import FetchResult, SafeFetcher
from newsletter.project import ISSUE_NAME_PATTERN
from newsletter.render.email import Email
from newsletter.sending.planning.proposal import SendProposal
from newsletter.sending.planning.tested_issues import mark_issue_tested
from newsletter.sending.providers.registry import get_provider
from newsletter.wording import format_count

_FILE_MARK = "FILE"
_MAX_SHOWN = 5
_UNREACHABLE = ("failing", "dead", "private", "certificate")


def list_image_urls(proposal: SendProposal) -> list[str]:
    """Return the URLs of the issue's own images in a proposed email, each once, in order.

    Empty if the email has been sent to some readers already: what they got can't be changed.
    """
    if proposal.resumed and proposal.resumed.state != "frozen":
        return []
    return list_email_image_urls(proposal.prepared_email.email, proposal.project.config)


def list_email_image_urls(email: Email, config: Config) -> list[str]:
    """Return the URLs of the issue's own images in an email, each once, in order."""
    match = ISSUE_NAME_PATTERN.match(email.issue)
    slug = match["slug"] if match else email.issue
    pattern = build_image_url(config, slug, _FILE_MARK)
    prefix, _, suffix = pattern.rpartition(_FILE_MARK)
    tree = etree.fromstring(email.html, etree.HTMLParser())
    sources = (
        element.get(name) or ""
        for element in tree.iter("*")
        for name in ("src", "srcset", "background")
    )
    return list(
        dict.fromkeys(
            source for source in sources if source.startswith(prefix) and source.endswith(suffix)
        )
    )


def check_images(
    engine: sa.Engine,
    config: Config,
    issue: str,
    urls: Sequence[str],
    on_progress: Callable[[int], None],
) -> tuple[Problem, ...]:
    """Request images and return why the email can't be sent; empty if readers can see all of them.

    ``newsletter serve``, if it has the same database, publishes them from now on.

    Args:
        engine: the database of list and ledger.
        config: the newsletter's settings.
        issue: the issue's name.
        urls: from ``list_image_urls`` or ``list_email_image_urls``.
        on_progress: called with the number of images just checked.
    """
    if not urls:
        return ()
    mark_issue_tested(engine, issue)
    fetcher = SafeFetcher(
        f"newsletter/{__version__} (image check for {config.site_url})",
        # The email doesn't leave this machine either.
        allow_loopback=get_provider(config).is_local,
        respect_robots=False,
    )
    results = check_urls(urls, fetcher, on_progress=on_progress)
    return find_image_problems(results, config, issue)


def find_image_problems(
    results: Mapping[str, FetchResult], config: Config, issue: str
) -> tuple[Problem, ...]:
    """Return the problem with the images that could not be fetched, if there are any. Pure.

    Args:
        results: URL -> the result of its request.
        config: the newsletter's settings.
        issue: the issue's name.
    """
    reasons = {url: reason for url, result in results.items() if (reason := _find_reason(result))}
    if not reasons:
        return ()
    shown = [f"{url} ({reason})" for url, reason in reasons.items()][:_MAX_SHOWN]
    more = [f"and {len(reasons) - _MAX_SHOWN:,} more"] if len(reasons) > _MAX_SHOWN else []
    count = f"{len(reasons):,} of {format_count(len(results), 'image')}"
    message = f"readers could not see {count}: {', '.join((*shown, *more))}"
    return (Problem(message, None, " ".join(_remedies(results, config, issue))),)


def _find_reason(result: FetchResult) -> str:
    """Return why readers can't see an image; empty if they can."""
    if result.kind not in {"fine", "moved"}:
        return result.detail or result.kind
    if not result.content_type.startswith("image/"):
        return f"it is {result.content_type or 'of no known type'}, not an image"
    return ""


def _remedies(results: Mapping[str, FetchResult], config: Config, issue: str) -> tuple[str, ...]:
    publish = (
        f"Publish them with: newsletter archive --issue {issue[11:]} --publish."
        if config.image_url
        else "Start newsletter serve at public_url, with this project and this database."
    )
    is_offline = all(
        result.kind in _UNREACHABLE and not result.detail[:3].isdecimal()
        for result in results.values()
    )
    offline = (
        "If only this machine can't reach them, check its network, or send with --no-image-check."
    )
    return (publish, offline) if is_offline else (publish,)
