"""What the page asks for, answered as data: an issue's state, its mail in every view."""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from newsletter.checks.analysis.client_support import (
    AS_OF,
    CLIENTS,
    PUBLISHED_SHARES,
    SOURCE,
    ClientShares,
)
from newsletter.checks.load_context import (
    get_used_attributes,
    load_check_context,
    load_longest_values,
)
from newsletter.checks.rules.size import GMAIL_CLIP_BYTES
from newsletter.checks.runner import check_with_exceptions
from newsletter.config import Config
from newsletter.errors import NewsletterError
from newsletter.events.user_agents import load_client_shares
from newsletter.preview.previous_version import issue_before, last_commit
from newsletter.preview.rendered_issues import Fault, Proof, View
from newsletter.preview.sample_recipients import ADDRESS, chosen
from newsletter.preview.views import source_views
from newsletter.preview.views.client_simulation import Simulated, simulate
from newsletter.preview.views.color_scheme import Scheme, in_scheme
from newsletter.preview.views.diff import compare
from newsletter.preview.views.inbox_snippet import snippet
from newsletter.preview.views.local_images import with_local_images, without_images
from newsletter.render.email import Email
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.sample import make_sample_recipient
from newsletter.subscribers import Recipient

SCHEMES: Mapping[str, Scheme] = {"light": "light", "dark": "dark", "forced": "forced"}

_AGAINST = {"commit": "the last commit"}


@dataclass(frozen=True, slots=True)
class Wish:
    """How the mail is to be looked at.

    Attributes:
        reader: whose copy.
        client: a key of the clients' facts, or empty for a browser.
        scheme: light, dark or forced.
        images: whether they are shown.
    """

    reader: Recipient
    client: str = ""
    scheme: Scheme = "light"
    images: bool = True


def wish(query: Mapping[str, str], config: Config, engine: sa.Engine | None) -> Wish:
    """Read what the page has chosen; what it doesn't know is as if left out."""
    client = query.get("client", "")
    return Wish(
        reader=chosen(query.get("reader", ""), config, engine, real=query.get("real") == "1"),
        client=client if client in CLIENTS else "",
        scheme=SCHEMES.get(query.get("scheme", ""), "light"),
        images=query.get("images") != "0",
    )


def state(view: View) -> dict[str, Any]:
    """An issue as the page's frame and title need it at once."""
    data: dict[str, Any] = {
        "version": view.version,
        "faults": [asdict(fault) for fault in view.faults],
        "proof": None,
    }
    if view.proof:
        data["proof"] = _summary(view.proof)
    return data


def _summary(proof: Proof) -> dict[str, Any]:
    from newsletter.project import display_path

    return {
        "issue": proof.issue.name,
        "title": proof.issue.post.title,
        "source": display_path(proof.issue.source_path),
        "draft": proof.issue.draft,
        "language": proof.email.language,
        "bytes": len(proof.email.html.encode()),
        "limit": GMAIL_CLIP_BYTES,
        "sha": proof.email.content_sha,
        "milliseconds": round(proof.milliseconds),
        "sendable": bool(proof.config.postal_address) and not proof.issue.draft,
    }


def mail(proof: Proof, wanted: Wish) -> str:
    """The mail as the frame shows it."""
    email = source_views.personal(proof, wanted.reader)
    document = simulated(email, wanted).html if wanted.client else email.html
    document = with_local_images(document, proof, _versions(proof))
    if not wanted.images:
        document = without_images(document)
    return in_scheme(document, wanted.scheme)


def simulated(email: Email, wanted: Wish) -> Simulated:
    """The mail without what the client leaves out."""
    return simulate(email.html, wanted.client, CLIENTS[wanted.client].unsupported)


def stripped(proof: Proof, wanted: Wish) -> dict[str, Any]:
    """What the client leaves out of this mail, and by whose word."""
    if not wanted.client:
        return {"client": ""}
    result = simulated(source_views.personal(proof, wanted.reader), wanted)
    return {
        "client": CLIENTS[wanted.client].name,
        "source": SOURCE,
        "date": AS_OF,
        "clipped": result.clipped,
        "stripped": [
            {
                "feature": feature,
                "name": _plain(feature),
                "count": count,
                "url": f"{SOURCE}/features/{feature}/",
            }
            for feature, count in result.stripped.most_common()
        ],
    }


def inbox(proof: Proof, wanted: Wish) -> dict[str, Any]:
    """Sender, subject and the first words."""
    email = source_views.personal(proof, wanted.reader)
    return {
        "sender": email.sender.name or email.sender.address,
        "address": email.sender.address,
        "subject": email.subject,
        "preheader": email.preheader,
        "snippet": snippet(email.html),
    }


def source(proof: Proof, wanted: Wish, kind: str) -> dict[str, Any]:
    """One of the mail's texts: ``raw``, and ``html`` that shows it in colours.

    Raises:
        LookupError: there is no such kind.
    """
    email = source_views.personal(proof, wanted.reader)
    texts: Mapping[str, tuple[Any, source_views.Language]] = {
        "text": (lambda: email.text, "text"),
        "html": (lambda: email.html, "html"),
        "mjml": (lambda: source_views.mjml(proof), "xml"),
        "headers": (
            lambda: source_views.headers(
                source_views.eml(proof, wanted.reader, datetime.datetime.now(datetime.UTC))
            ),
            "text",
        ),
        "request": (lambda: source_views.api_request(proof, wanted.reader), "json"),
    }
    make, language = texts[kind]
    raw = make()
    return {"raw": raw, "html": source_views.coloured(raw, language), "lines": raw.count("\n") + 1}


def comparison(proof: Proof, other: str) -> dict[str, Any]:
    """The mail beside the last commit's or the last issue's."""
    try:
        email = last_commit(proof) if other == "commit" else issue_before(proof)
    except NewsletterError as error:
        return {"problem": str(error.problems[0])}
    sample = make_sample_recipient(ADDRESS, proof.config)
    old, new = (
        personalize_for_recipient(one, proof.config, sample.attributes, sample.token)
        for one in (email, proof.email)
    )
    return {"against": _AGAINST.get(other, email.issue), **asdict(compare(old, new))}


@lru_cache(maxsize=1)  # for as long as the preview is open: it would take its time at each save
def _clients(engine: sa.Engine) -> ClientShares:
    return load_client_shares(engine)


def findings(proof: Proof, engine: sa.Engine | None) -> dict[str, Any]:
    """What the checks say of the mail, with the longest values that readers of the list have."""
    longest = load_longest_values(engine, get_used_attributes(proof.email)) if engine else {}
    clients = _clients(engine) if engine else PUBLISHED_SHARES
    verdict = check_with_exceptions(
        load_check_context(proof.project, proof.issue, proof.email, longest, clients)
    )
    return {
        "findings": [
            {
                **asdict(one),
                "file": one.where.path if one.where else "",
                "line": one.where.line if one.where else None,
            }
            for one in verdict.findings
        ],
        "allowed": dict(verdict.exceptions),
    }


def faults(error: NewsletterError) -> list[dict[str, Any]]:
    """An error's problems as the page shows them."""
    return [asdict(Fault(problem.message, problem.remedy)) for problem in error.problems]


def _versions(proof: Proof) -> dict[str, int]:
    versions = {}
    for image in proof.issue.post.images.values():
        try:
            versions[image.name] = (proof.folder / image.name).stat().st_mtime_ns
        except OSError:
            versions[image.name] = 0
    return versions


def _plain(feature: str) -> str:
    """A feature's name as a designer writes it: ``css-at-media`` is ``@media``."""
    for start, instead in (
        ("css-at-media-", "@media "), ("css-at-", "@"), ("css-pseudo-class-", ":"),
        ("css-pseudo-element-", "::"), ("css-selector-attribute", "[attribute] selectors"),
        ("css-", ""),
    ):  # fmt: skip
        if feature.startswith(start):
            return instead + feature.removeprefix(start)
    return f"<{feature.removeprefix('html-')}>"
