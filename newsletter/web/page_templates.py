"""Render the public pages from ``templates/web`` with theme and language."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from starlette.responses import HTMLResponse

from newsletter.config import Config
from newsletter.config.urls import get_public_url
from newsletter.errors import Location, TemplateError, display_path
from newsletter.project import Project
from newsletter.project.scaffold import default_templates_dir
from newsletter.render.locale import get_text_direction
from newsletter.web.http.reader_language import get_preferred_languages
from newsletter.web.page_words import PageWords

TEMPLATES_FOLDER = "web"
# A subscriber's own page must not be cached, indexed, or named to other sites as the referrer.
PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
}


class PageRenderer:
    """The pages of one newsletter; for a template not in the project, the default one is used.

    A subscriber's own page is in the language that the current request prefers among those that
    have words, else in the newsletter's; public pages, which are cached, are in the newsletter's.

    Args:
        project: the newsletter's project.

    Attributes:
        stylesheet: the style sheet's content.
        stylesheet_url: its URL, which changes with its content.

    Raises:
        TemplateError: the style sheet or the messages can't be read.
    """

    def __init__(self, project: Project) -> None:
        self._config = project.config
        self._templates_dir = project.templates_dir / TEMPLATES_FOLDER
        folders = [self._templates_dir, default_templates_dir() / TEMPLATES_FOLDER]
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folders),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._words = PageWords(project)
        root = urlsplit(get_public_url(project.config)).path
        self._common_context = _make_common_context(project.config, root)
        self.stylesheet = self._render_template("style.css", self._common_context).encode()
        version = hashlib.sha256(self.stylesheet).hexdigest()[:12]
        self.stylesheet_url = f"{root}/assets/style.css?v={version}"
        self._common_context["style_url"] = self.stylesheet_url

    @property
    def messages(self) -> Mapping[str, str]:
        """The words of pages, key -> text, in the language of the current request."""
        return self._words.load(self.language)

    @property
    def language(self) -> str:
        """The tag of the language that the current request gets."""
        return self.choose_language(get_preferred_languages())

    def choose_language(self, preferred: Iterable[str]) -> str:
        """Return the first of the preferred languages that has words, else the newsletter's."""
        return self._words.choose_language(preferred)

    def render_page(
        self, name: str, /, *, status: int = 200, private: bool = False, **context: Any
    ) -> HTMLResponse:
        """Return one page as a response.

        Args:
            name: the template's name, without ``.html``.
            status: the HTTP status.
            private: whether it is one subscriber's own page.
            **context: the template's variables, in addition to those of every page.
        """
        language = self.language if private else self._config.language
        common = {
            **self._common_context,
            "lang": language,
            "dir": get_text_direction(language, self._config),
            "words": self._words.load(language),
            "private": private,
        }
        html = self._render_template(f"{name}.html", {**common, **context})
        headers = {**PRIVATE_HEADERS, "Vary": "Accept-Language"} if private else None
        return HTMLResponse(html, status_code=status, headers=headers)

    def _render_template(self, name: str, context: Mapping[str, Any]) -> str:
        try:
            return self._environment.get_template(name).render(context)
        except jinja2.TemplateNotFound as error:
            raise TemplateError(
                f"there is no template {TEMPLATES_FOLDER}/{error.name}",
                where=Location(display_path(self._templates_dir)),
            ) from error
        except jinja2.TemplateSyntaxError as error:
            where = Location(display_path(Path(error.filename or name)), error.lineno)
            raise TemplateError(str(error.message), where=where) from error


def _make_common_context(config: Config, root: str) -> dict[str, Any]:
    return {
        "newsletter": {
            "name": config.name,
            "description": config.description or "",
            "url": config.site_url,
            "postal_address": config.postal_address or "",
            "links": config.footer_links,
        },
        "theme": config.theme,
        "root": root,
        "home": f"{root}/",
        "lang": config.language,
        "dir": get_text_direction(config.language, config),
    }
