"""The issue's page in the archive, as the public site will show it."""

import datetime
import re
from urllib.parse import quote, urlsplit

import jinja2
import sqlalchemy as sa

from newsletter.config.urls import get_public_url
from newsletter.errors import TemplateError
from newsletter.preview.rendered_issues import Proof
from newsletter.web.archive.archived_issue import archived
from newsletter.web.archive.pages import Place, issue_page
from newsletter.web.page_templates import Pages
from newsletter.web.site_context import Site

_SHEET = re.compile(r"<link\b[^>]*\brel=\"?stylesheet\b[^>]*>")


def web_page(proof: Proof, now: datetime.datetime) -> str:
    """The page with its style in it and its pictures from the folder.

    Args:
        proof: what it is made of.
        now: when it would be sent, aware.

    Raises:
        TemplateError: a page's template or words can't be read.
    """
    config, issue = proof.config, proof.issue
    pages = Pages(proof.project)
    # The page of one issue asks no database: this one is never opened.
    site = Site(proof.project, sa.create_engine("sqlite://"), pages, b"")
    root = urlsplit(get_public_url(config)).path
    place = Place(root, f"{root}/subscribe", search=False)
    page = archived(issue, now, config)
    try:
        html = bytes(issue_page(site, place, [page], page).body).decode()
    except jinja2.TemplateError as error:
        raise TemplateError(f"the web page can't be made: {error.message}") from error
    for address in (f"{get_public_url(config)}/issues/", f"{root}/issues/"):
        html = re.sub(
            rf'(?<=["\s]){re.escape(address)}{re.escape(quote(issue.slug))}/(?=[^"]+\.\w+)',
            f"file/{quote(issue.name)}/",
            html,
        )
    style = pages.style.decode().replace("</", "<\\/")
    return _SHEET.sub(lambda _: f"<style>{style}</style>", html)
