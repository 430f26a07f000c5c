"""Emails to one reader in the preview: their list, and each one's views."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.responses import JSONResponse, Response

from newsletter.preview import api
from newsletter.preview.rendered_issues import (
    SINGLE_EMAIL_PREFIX,
    SINGLE_EMAILS,
    SingleEmailRendering,
)
from newsletter.preview.responses import (
    make_email_response,
    make_eml_response,
    make_error_response,
)
from newsletter.preview.views import source_views
from newsletter.project import Project
from newsletter.render.article.links import get_host
from newsletter.render.email import NamedAddress
from newsletter.render.eml import to_eml
from newsletter.sending.sample import SAMPLE_ADDRESS, SAMPLE_NAME


class SingleEmailEntry(NamedTuple):
    """One email in the list.

    Attributes:
        name: what the page calls it.
        title: what it is for.
        state: ``off`` if no reader gets it; else empty.
    """

    name: str
    title: str
    state: str


def list_single_emails(project: Project) -> list[SingleEmailEntry]:
    """Return the emails to one reader, whether or not they can be rendered."""
    is_off = not project.config.signup.welcome
    return [
        SingleEmailEntry(
            SINGLE_EMAIL_PREFIX + kind, title, "off" if kind == "welcome" and is_off else ""
        )
        for kind, title in SINGLE_EMAILS.items()
    ]


def is_single_email(name: str) -> bool:
    """Return whether the page's name of something is that of an email to one reader."""
    return name.startswith(SINGLE_EMAIL_PREFIX) and (
        name.removeprefix(SINGLE_EMAIL_PREFIX) in SINGLE_EMAILS
    )


def show_single_email(
    rendering: SingleEmailRendering, view: str, options: api.ViewOptions
) -> Response:
    """Return one of the email's views, or 404 for a view that only issues have."""
    if view not in _VIEWS:
        return make_error_response("an email to one reader has no such view", 404)
    return _VIEWS[view](rendering, options)


def _show_html(rendering: SingleEmailRendering, options: api.ViewOptions) -> Response:
    document = api.build_client_html(rendering.email, options)
    return make_email_response(api.apply_display_options(document, options))


def _build_envelope(rendering: SingleEmailRendering) -> dict[str, Any]:
    """Return what the page's head needs; none of it can be changed there."""
    email = rendering.email
    values = {
        "sender_name": email.sender.name or email.sender.address,
        "subject": email.subject,
        "preheader": email.preheader,
    }
    fields = {key: {"value": value, "fallback": "", "from": ""} for key, value in values.items()}
    return {
        "file": rendering.source, "sha": "", "locked": _describe_change(rendering),
        "fields": fields,
    }  # fmt: skip


def _build_eml(rendering: SingleEmailRendering) -> bytes:
    return to_eml(
        rendering.email,
        NamedAddress(SAMPLE_NAME, SAMPLE_ADDRESS),
        date=datetime.datetime.now(datetime.UTC),
        message_id=f"<{rendering.kind}@{get_host(rendering.project.config.site_url)}>",
    )


def _describe_change(rendering: SingleEmailRendering) -> str:
    """Return where to change the email, as the end of a sentence."""
    if rendering.source.endswith(".md"):
        return f"change it in {rendering.source}"
    if rendering.kind == "welcome" and not rendering.source.endswith(".mjml"):
        return "write templates/welcome.md to change it"
    return f"the words are in templates/words/{rendering.email.language}.yml"


def _show_source(source: str, language: source_views.SourceLanguage) -> Response:
    return JSONResponse(api.make_source_data(source, language))


_VIEWS: Mapping[str, Callable[[SingleEmailRendering, api.ViewOptions], Response]] = {
    "mail": _show_html,
    "stripped": lambda r, options: JSONResponse(api.build_stripped_data(r.email, options)),
    "inbox": lambda r, _: JSONResponse(api.build_inbox_data(r.email)),
    "envelope": lambda r, _: JSONResponse(_build_envelope(r)),
    "text": lambda r, _: _show_source(r.email.text, "text"),
    "html": lambda r, _: _show_source(r.email.html, "html"),
    "headers": lambda r, _: _show_source(source_views.format_headers(_build_eml(r)), "text"),
    "eml": lambda r, _: make_eml_response(_build_eml(r), r.kind),
}
