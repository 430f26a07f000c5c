"""The issue's page in the archive, as the public site will show it."""

import datetime
import re
from urllib.parse import quote, urlsplit

import jinja2
import sqlalchemy as sa

from newsletter.config.urls import get_public_url
from newsletter.errors import TemplateError
from newsletter.preview.rendered_issues import Rendering
from newsletter.web.archive.archived_issue import make_archived_issue
from newsletter.web.archive.pages import ArchiveLocation, render_issue_page
from newsletter.web.page_templates import PageRenderer
from newsletter.web.site_context import Site

_STYLESHEET_LINK = re.compile(r"<link\b[^>]*\brel=\"?stylesheet\b[^>]*>")


def render_archive_page(rendering: Rendering, now: datetime.datetime) -> str:
    """The page with its style in it and its pictures from the folder.

    Args:
        rendering: what it is made of.
        now: when it would be sent, aware.

    Raises:
        TemplateError: a page's template or words can't be read.
    """
    config, issue = rendering.config, rendering.issue
    pages = PageRenderer(rendering.project)
    # The page of one issue asks no database: this one is never opened.
    site = Site(rendering.project, sa.create_engine("sqlite://"), pages, b"")
    root = urlsplit(get_public_url(config)).path
    place = ArchiveLocation(root, f"{root}/subscribe", is_searchable=False)
    page = make_archived_issue(issue, now, config)
    try:
        html = bytes(render_issue_page(site, place, [page], page).body).decode()
    except jinja2.TemplateError as error:
        raise TemplateError(f"the web page can't be made: {error.message}") from error
    for address in (f"{get_public_url(config)}/issues/", f"{root}/issues/"):
        html = re.sub(
            rf'(?<=["\s]){re.escape(address)}{re.escape(quote(issue.slug))}/(?=[^"]+\.\w+)',
            f"file/{quote(issue.name)}/",
            html,
        )
    style = pages.stylesheet.decode().replace("</", "<\\/")
    return _STYLESHEET_LINK.sub(lambda _: f"<style>{style}</style>", html)
