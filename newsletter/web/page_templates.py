"""Render the public pages from ``templates/web`` with theme and language."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from starlette.responses import HTMLResponse

from newsletter.config import Config, safe_yaml
from newsletter.config.urls import get_public_url
from newsletter.errors import Location, TemplateError, display_path
from newsletter.project import Project
from newsletter.project.scaffold import default_templates_dir
from newsletter.render.locale import get_text_direction
from newsletter.render.words import (
    FALLBACK_LANGUAGE,
    load_own_words,
    load_shipped_words,
    read_own_words,
)

TEMPLATES_FOLDER = "web"
# Where version 0.1 has all messages, by language.
_OLD_MESSAGES_FILE = "words.yml"
_NOT_MESSAGES = "not a mapping of languages to messages"
# A subscriber's own page must not be cached, indexed, or named to other sites as the referrer.
PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
}


class PageRenderer:
    """The pages of one newsletter; for a template not in the project, the default one is used.

    Args:
        project: the newsletter's project.

    Attributes:
        messages: key -> text, in the newsletter's language where it is translated.
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
        self.messages = _load_messages(project)
        root = urlsplit(get_public_url(project.config)).path
        self._common_context = _make_common_context(project.config, root, self.messages)
        self.stylesheet = self._render_template("style.css", self._common_context).encode()
        version = hashlib.sha256(self.stylesheet).hexdigest()[:12]
        self.stylesheet_url = f"{root}/assets/style.css?v={version}"
        self._common_context["style_url"] = self.stylesheet_url

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
        html = self._render_template(
            f"{name}.html", {**self._common_context, "private": private, **context}
        )
        return HTMLResponse(html, status_code=status, headers=PRIVATE_HEADERS if private else None)

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


def _make_common_context(config: Config, root: str, messages: Mapping[str, str]) -> dict[str, Any]:
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
        "words": messages,
    }


def _load_messages(project: Project) -> dict[str, str]:
    """Return the messages in the newsletter's language: the project's own before the shipped ones.

    In a file of version 0.1, English is overridden by the language, and that by its regional
    variant.
    """
    folder, language = project.templates_dir, project.config.language
    messages = load_shipped_words(language, "page")
    by_language = _read_old_messages(folder / TEMPLATES_FOLDER / _OLD_MESSAGES_FILE)
    for tag in (FALLBACK_LANGUAGE, language.partition("-")[0], language):
        messages |= by_language.get(tag, {})
    return messages | load_own_words(read_own_words(folder), language, "page")


def _read_old_messages(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    try:
        by_language = _parse_old_messages(path.read_text("utf-8"))
    except (safe_yaml.YamlError, UnicodeDecodeError) as error:
        where = Location(display_path(path), getattr(error, "line", None))
        is_other_content = getattr(error, "kind", "") == "content"
        message = _NOT_MESSAGES if is_other_content else "the messages can't be read"
        raise TemplateError(message, where=where) from error
    if not all(isinstance(messages, dict) for messages in by_language.values()):
        raise TemplateError(_NOT_MESSAGES, where=Location(display_path(path)))
    return {
        tag: {str(key): str(message) for key, message in messages.items()}
        for tag, messages in by_language.items()
    }


@lru_cache(maxsize=2)
def _parse_old_messages(text: str) -> dict[str, Any]:
    entries = safe_yaml.load_entries(text)
    # The mapping's own keys override those merged with <<; of the merged, the first counts.
    merged = {entry.key: entry.value for entry in reversed(entries) if entry.is_merged}
    return merged | {entry.key: entry.value for entry in entries if not entry.is_merged}
