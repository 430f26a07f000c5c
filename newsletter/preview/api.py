"""Build the preview's JSON and HTML: issue state, email, every view."""

import datetime
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.checks.analysis.client_support import (
    AS_OF,
    CLIENTS,
    SOURCE,
)
from newsletter.config import Config
from newsletter.errors import NewsletterError
from newsletter.posts.post import LocalImage
from newsletter.posts.stills import find_still_name, get_file_name
from newsletter.preview.rendered_issues import (
    IssueState,
    Rendering,
    RenderProblem,
    SingleEmailRendering,
    render_in_design,
)
from newsletter.preview.sample_recipients import get_chosen_recipient
from newsletter.preview.views import source_views
from newsletter.preview.views.client_simulation import ClientSimulation, simulate_client
from newsletter.preview.views.color_scheme import ColorScheme, apply_color_scheme
from newsletter.preview.views.inbox_snippet import extract_snippet
from newsletter.preview.views.local_images import block_images, use_local_images
from newsletter.render.clip_size import GMAIL_CLIP_BYTES
from newsletter.render.email import Email
from newsletter.subscribers import Recipient

SCHEMES: Mapping[str, ColorScheme] = {"light": "light", "dark": "dark", "forced": "forced"}


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What the user has chosen to see.

    Attributes:
        recipient: the recipient to personalize the email for.
        client: the key of the mail client to simulate, or empty for none.
        scheme: light, dark or forced.
        images: whether images are shown.
        design: the design to look at, or empty for the issue's own.
    """

    recipient: Recipient
    client: str = ""
    scheme: ColorScheme = "light"
    images: bool = True
    design: str = ""


def parse_view_options(
    query: Mapping[str, str], config: Config, engine: sa.Engine | None
) -> ViewOptions:
    """Parse the page's query string; unknown values count as absent."""
    client = query.get("client", "")
    return ViewOptions(
        recipient=get_chosen_recipient(
            query.get("reader", ""), config, engine, real=query.get("real") == "1"
        ),
        client=client if client in CLIENTS else "",
        scheme=SCHEMES.get(query.get("scheme", ""), "light"),
        images=query.get("images") != "0",
        design=query.get("design", ""),
    )


def build_state_data(issue_state: IssueState) -> dict[str, Any]:
    """Return an issue's state for the page: version, problems, facts about its rendering."""
    data: dict[str, Any] = {
        "version": issue_state.version,
        "faults": [asdict(problem) for problem in issue_state.problems],
        "proof": None,
    }
    if issue_state.rendering:
        data["proof"] = _summarize_rendering(issue_state.rendering)
    if issue_state.single_email:
        data["proof"] = _summarize_single_email(issue_state.single_email)
    return data


def _summarize_rendering(rendering: Rendering) -> dict[str, Any]:
    from newsletter.project import display_path

    html, article = rendering.email.html, rendering.rendered.article
    return {
        "issue": rendering.issue.name,
        "title": rendering.issue.post.title,
        "source": display_path(rendering.issue.source_path),
        "draft": rendering.issue.draft,
        "design": rendering.issue.template or rendering.config.theme.template,
        "designs": rendering.rendered.templates.list_designs(),
        "language": rendering.email.language,
        "words": article.word_count,
        "minutes": article.reading_minutes,
        "links": rendering.email.link_count,
        "images": rendering.email.image_count,
        "image_bytes": _sum_image_bytes(rendering.issue.post.images.values()),
        "bytes": len(html.encode()),
        "limit": GMAIL_CLIP_BYTES,
        "sha": rendering.email.content_sha,
        "milliseconds": round(rendering.duration_ms),
        "sendable": bool(rendering.config.postal_address) and not rendering.issue.draft,
    }


def _sum_image_bytes(images: Collection[LocalImage]) -> int:
    by_file = {get_file_name(image.name): image for image in images}
    return sum(image.byte_size for image in by_file.values())


def _summarize_single_email(rendering: SingleEmailRendering) -> dict[str, Any]:
    email = rendering.email
    return {
        "issue": rendering.name,
        "title": rendering.title,
        "source": rendering.source,
        "single": True,
        "latest": rendering.latest_note,
        "off": rendering.kind == "welcome" and not rendering.project.config.signup.welcome,
        "language": email.language,
        "links": email.link_count,
        "images": email.image_count,
        "bytes": len(email.html.encode()),
        "limit": GMAIL_CLIP_BYTES,
        "milliseconds": round(rendering.duration_ms),
    }


def build_email_html(rendering: Rendering, options: ViewOptions) -> str:
    """Return the email's HTML as the frame shows it, with all options applied."""
    rendering = render_in_design(rendering, options.design)
    email = source_views.personalize_rendering(rendering, options.recipient)
    document = use_local_images(
        build_client_html(email, options), rendering, _get_image_versions(rendering)
    )
    return apply_display_options(document, options)


def build_client_html(email: Email, options: ViewOptions) -> str:
    """Return the email's HTML without what the chosen client does not support, if one is chosen."""
    return simulate_chosen_client(email, options).html if options.client else email.html


def apply_display_options(document: str, options: ViewOptions) -> str:
    """Return an email's HTML in the chosen colour scheme, with or without images."""
    return apply_color_scheme(
        document if options.images else block_images(document), options.scheme
    )


def simulate_chosen_client(email: Email, options: ViewOptions) -> ClientSimulation:
    """Return the email without what the chosen client does not support."""
    return simulate_client(email.html, options.client, CLIENTS[options.client].unsupported)


def build_stripped_data(email: Email, options: ViewOptions) -> dict[str, Any]:
    """Return which features the chosen client strips from one reader's email, with the source."""
    if not options.client:
        return {"client": ""}
    result = simulate_chosen_client(email, options)
    return {
        "client": CLIENTS[options.client].name,
        "source": SOURCE,
        "date": AS_OF,
        "clipped": result.clipped_bytes,
        "stripped": [
            {
                "feature": feature,
                "name": _format_feature_name(feature),
                "count": count,
                "url": f"{SOURCE}/features/{feature}/",
            }
            for feature, count in result.stripped_features.most_common()
        ],
    }


def build_inbox_data(email: Email) -> dict[str, Any]:
    """Return what inboxes show of one reader's email: sender, subject, preheader, snippet."""
    return {
        "sender": email.sender.name or email.sender.address,
        "address": email.sender.address,
        "subject": email.subject,
        "preheader": email.preheader,
        "snippet": extract_snippet(email.html),
    }


def build_source_data(rendering: Rendering, options: ViewOptions, kind: str) -> dict[str, Any]:
    """Return one of the email's sources: ``raw``, and ``html`` with syntax highlighting.

    Raises:
        LookupError: there is no such kind.
    """
    email = source_views.personalize_rendering(rendering, options.recipient)
    texts: Mapping[str, tuple[Any, source_views.SourceLanguage]] = {
        "text": (lambda: email.text, "text"),
        "html": (lambda: email.html, "html"),
        "mjml": (lambda: source_views.render_mjml(rendering), "xml"),
        "headers": (
            lambda: source_views.format_headers(
                source_views.build_preview_eml(
                    rendering, options.recipient, datetime.datetime.now(datetime.UTC)
                )
            ),
            "text",
        ),
        "request": (lambda: source_views.format_api_request(rendering, options.recipient), "json"),
    }
    get_source, language = texts[kind]
    return make_source_data(get_source(), language)


def make_source_data(raw: str, language: source_views.SourceLanguage) -> dict[str, Any]:
    """Return a source in the form that the page shows."""
    return {
        "raw": raw,
        "html": source_views.highlight_source(raw, language),
        "lines": raw.count("\n") + 1,
    }


def build_problems_data(error: NewsletterError) -> list[dict[str, Any]]:
    """Return an error's problems in the form that the page shows."""
    return [
        asdict(
            RenderProblem(
                problem.message,
                problem.remedy,
                file=problem.where.path if problem.where else "",
                line=problem.where.line if problem.where else None,
            )
        )
        for problem in error.problems
    ]


def _get_image_versions(rendering: Rendering) -> dict[str, int]:
    versions = {}
    for image in rendering.issue.post.images.values():
        try:
            name = find_still_name(rendering.issue_dir, image.name) or image.name
            versions[image.name] = (rendering.issue_dir / name).stat().st_mtime_ns
        except OSError:
            versions[image.name] = 0
    return versions


def _format_feature_name(feature: str) -> str:
    """Return a caniemail.com feature's name in CSS or HTML: ``css-at-media`` is ``@media``."""
    for prefix, replacement in (
        ("css-at-media-", "@media "),
        ("css-at-", "@"),
        ("css-pseudo-class-", ":"),
        ("css-pseudo-element-", "::"),
        ("css-selector-attribute", "[attribute] selectors"),
        ("css-", ""),
    ):
        if feature.startswith(prefix):
            return replacement + feature.removeprefix(prefix)
    return f"<{feature.removeprefix('html-')}>"
