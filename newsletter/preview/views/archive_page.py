"""Render the issue's archive page as the public site will show it."""

import datetime
import re
from urllib.parse import quote, urlsplit

import jinja2
import sqlalchemy as sa

from newsletter.config.urls import get_public_url
from newsletter.errors import TemplateError
from newsletter.preview.rendered_issues import Rendering
from newsletter.render.words import read_own_words
from newsletter.web.archive.archived_issue import make_archived_issue
from newsletter.web.archive.pages import ArchiveLocation, render_issue_page
from newsletter.web.page_templates import PageRenderer
from newsletter.web.site_context import Site

_STYLESHEET_LINK = re.compile(r"<link\b[^>]*\brel=\"?stylesheet\b[^>]*>")


def render_archive_page(rendering: Rendering, now: datetime.datetime) -> str:
    """Return the page's HTML with its stylesheet inlined and its images from the issue's folder.

    Args:
        rendering: the issue, project and settings to render it from.
        now: when it would be sent, timezone-aware.

    Raises:
        TemplateError: a template or the wording of the pages can't be read.
    """
    config, issue = rendering.config, rendering.issue
    pages = PageRenderer(rendering.project)
    # A single issue's page needs no database: this one is never opened.
    site = Site(rendering.project, sa.create_engine("sqlite://"), pages, b"")
    root = urlsplit(get_public_url(config)).path
    location = ArchiveLocation(
        root, f"{root}/subscribe", is_searchable=False, has_signup_form=False
    )
    page = make_archived_issue(issue, now, config, read_own_words(rendering.project.templates_dir))
    try:
        html = bytes(render_issue_page(site, location, [page], page).body).decode()
    except jinja2.TemplateError as error:
        raise TemplateError(f"could not render the web page: {error.message}") from error
    for base_url in (f"{get_public_url(config)}/issues/", f"{root}/issues/"):
        html = re.sub(
            rf'(?<=["\s]){re.escape(base_url)}{re.escape(quote(issue.slug))}/(?=[^"]+\.\w+)',
            f"file/{quote(issue.name)}/",
            html,
        )
    style = pages.stylesheet.decode().replace("</", "<\\/")
    return _STYLESHEET_LINK.sub(lambda _: f"<style>{style}</style>", html)
