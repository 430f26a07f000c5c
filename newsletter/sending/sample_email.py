"""Send test emails to addresses that the editor names.

They are recorded neither on the list nor in the ledger.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.errors import (
    FileWriteError,
    Location,
    PostError,
    ProjectError,
    ProviderError,
    SendRefusedError,
    display_path,
)
from newsletter.posts.issue import Issue
from newsletter.posts.stills import draw_still, find_still_name
from newsletter.public_files import write_public_file
from newsletter.render.email import Email
from newsletter.render.fallback_host import find_fallback_problems, find_unpublished_images
from newsletter.render.personalization import get_default_subject
from newsletter.sending.planning.frozen_content import email_from_row, email_to_row
from newsletter.sending.planning.tested_issues import mark_issue_tested
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.sample import (
    TEST_SUBJECT_PREFIX,
    build_test_requests,
    embed_images,
    replace_personal_links,
)
from newsletter.subscribers.address import parse_address


def deduplicate_addresses(addresses: Sequence[str]) -> list[str]:
    """Return each address once, its domain in ASCII, in the order given.

    Raises:
        SubscriberListError: one is not a valid email address.
    """
    address_by_key = {parsed.key: parsed.address for parsed in map(parse_address, addresses)}
    return [
        f"{address.rpartition('@')[0]}@{key.rpartition('@')[2]}"
        for key, address in address_by_key.items()
    ]


class SentTestEmails(NamedTuple):
    """What was sent as test emails.

    Attributes:
        subject: their subject.
        inline_images: paths in the issue's folder of the images that were sent inside the email,
            since they have no public address.
        personal_links_url: where the unsubscribe and preferences links lead, if there is no page
            for them; or empty.
    """

    subject: str
    inline_images: tuple[str, ...]
    personal_links_url: str


def send_test_emails(  # noqa: PLR0913 - what, to whom, by whom
    issue: Issue,
    email: Email,
    config: Config,
    addresses: Sequence[str],
    environ: Mapping[str, str],
    *,
    engine: sa.Engine | None,
) -> SentTestEmails:
    """Send an email marked [TEST] to each address, personalized for a sample recipient.

    What has no public address yet leads nowhere in no email: local images are sent inside it, and
    the reader's own links lead to the newsletter's site.

    Args:
        issue: the issue; its images are read from its folder.
        email: the issue, rendered.
        config: the newsletter's settings.
        addresses: the addresses, from ``deduplicate_addresses``.
        environ: holds the API key.
        engine: the list's database, if there is one; there ``newsletter serve`` finds that it must
            publish the images.

    Raises:
        ConfigError: there is no API key, or it is not valid.
        PostError: an image can't be read.
        SendRefusedError: the provider would refuse the email, or it contains an address that leads
            nowhere.
        ProviderError: the provider did not accept an email.
    """
    rendered_email = email
    names = find_unpublished_images(email, issue)
    files = {name: _read_image(issue, name) for name in names}
    email, inline_images = embed_images(email, config, issue.slug, files)
    provider = get_provider(config)
    has_pages = bool(config.public_url or provider.has_unsubscribe_page)
    if not has_pages:
        email = replace_personal_links(email, config.site_url)
    if problems := find_fallback_problems(email):
        raise SendRefusedError.from_problems(problems)
    requests = list(build_test_requests(email, config, addresses, inline_images))
    with provider.connect(environ) as client:
        if engine is not None:
            mark_issue_tested(engine, email.issue)
        for request in requests:
            response = client.post_mail(request.body)
            outcome = provider.classify(response, datetime.datetime.now(datetime.UTC))
            _require_accepted(outcome, provider.facts.name)
    with suppress(FileWriteError):  # only a comparison needs it
        data = json.dumps(email_to_row(rendered_email), ensure_ascii=False, indent=1)
        write_public_file(_get_copy_path(issue), data.encode(), make_folders=True)
    subject = f"{TEST_SUBJECT_PREFIX} {get_default_subject(email, config)}"
    return SentTestEmails(subject, names, "" if has_pages else config.site_url)


def send_single_test_emails(
    emails: Sequence[Email],
    config: Config,
    addresses: Sequence[str],
    environ: Mapping[str, str],
) -> list[str]:
    """Send emails to one reader, marked [TEST], to each address; nothing is recorded.

    Args:
        emails: as rendered, for the sample recipient.
        config: the newsletter's settings.
        addresses: the addresses, from ``deduplicate_addresses``.
        environ: holds the API key.

    Returns:
        The subject of each email.

    Raises:
        ConfigError: there is no API key, or it is not valid.
        SendRefusedError: an email contains an address that leads nowhere.
        ProviderError: the provider did not accept an email.
    """
    if problems := [problem for email in emails for problem in find_fallback_problems(email)]:
        raise SendRefusedError.from_problems(problems)
    marked = [replace(e, subject=f"{TEST_SUBJECT_PREFIX} {e.subject}") for e in emails]
    provider = get_provider(config)
    with provider.connect(environ) as client:
        for email in marked:
            for address in addresses:
                body = provider.build_transactional(
                    email, address, queue_id=0, headers={}, bypass_suppressions=False
                )
                outcome = provider.classify(
                    client.post_mail(body), datetime.datetime.now(datetime.UTC)
                )
                _require_accepted(outcome, provider.facts.name)
    return [email.subject for email in marked]


def load_last_test(issue: Issue) -> Email:
    """Return an issue's email as it was when a test of it was last sent; without readers' data.

    Raises:
        ProjectError: none was sent from this folder.
    """
    try:
        return email_from_row(issue.name, json.loads(_get_copy_path(issue).read_bytes()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ProjectError(
            "no test of this issue has been sent from this folder",
            remedy=f"Send one with: newsletter test {issue.slug} --to ADDRESS",
        ) from error


def _get_copy_path(issue: Issue) -> Path:
    """Return where the last test is kept: with the files of ``newsletter build``."""
    root = issue.source_path.absolute().parents[2]
    return root / "build" / issue.name / "last-test.json"


def _read_image(issue: Issue, name: str) -> bytes:
    folder = issue.source_path.parent
    still_name = find_still_name(folder, name)
    file = folder / (still_name or name)
    try:
        return draw_still(file) if still_name else file.read_bytes()
    except OSError as error:
        raise PostError(
            f"the image can't be read: {error.strerror}", where=Location(display_path(file))
        ) from error


def _require_accepted(outcome: Outcome, provider_name: str) -> None:
    match outcome.kind:
        case "accepted":
            return
        case "not_sent":
            raise ProviderError(f"nothing was sent: {outcome.message}", remedy="Try again.")
        case "unknown":
            raise ProviderError(
                f"the test email may or may not have been sent: {outcome.message}",
                remedy="Check the inbox before you try again.",
            )
        case "throttled":
            raise ProviderError(
                f"{provider_name} accepts no more requests at the moment",
                remedy="Try again in a minute.",
            )
        case _:
            raise ProviderError(f"{provider_name}: {outcome.message}", remedy=outcome.remedy)
