"""Makes the public pages from ``templates/web``, in the newsletter's theme and language."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import yaml
from starlette.responses import HTMLResponse

from newsletter.config import Config
from newsletter.config.urls import get_public_url
from newsletter.errors import Location, TemplateError, display_path
from newsletter.project import Project
from newsletter.project.scaffold import default_templates_dir
from newsletter.render.locale import get_text_direction

TEMPLATES_FOLDER = "web"
MESSAGES_FILE = "words.yml"
FALLBACK_LANGUAGE = "en"
# What a reader's own page must not do: be kept, be found, tell other sites where one comes from.
PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
}


class PageRenderer:
    """The pages of one newsletter; a page that the folder hasn't is the program's own.

    Args:
        project: the editor's folder.

    Attributes:
        messages: key -> what pages say, in the newsletter's language where it is known.
        stylesheet: the style sheet.
        stylesheet_url: where it is; another with every change.

    Raises:
        TemplateError: the style sheet or the words can't be read.
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
        self.messages = _load_messages(folders[::-1], project.config.language)
        root = urlsplit(get_public_url(project.config)).path
        self._common_context = _make_common_context(project.config, root, self.messages)
        self.stylesheet = self._render_template("style.css", self._common_context).encode()
        version = hashlib.sha256(self.stylesheet).hexdigest()[:12]
        self.stylesheet_url = f"{root}/assets/style.css?v={version}"
        self._common_context["style_url"] = self.stylesheet_url

    def render_page(
        self, name: str, /, *, status: int = 200, private: bool = False, **context: Any
    ) -> HTMLResponse:
        """One page.

        Args:
            name: of the template, without ``.html``.
            status: of HTTP.
            private: whether it is one reader's.
            **context: what the template may name, beside what it always may.
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


def _load_messages(folders: list[Path], language: str) -> dict[str, str]:
    """The program's own in English, over it those of the language, and the editor's."""
    words: dict[str, str] = {}
    for folder in folders:
        known = _read_messages_file(folder / MESSAGES_FILE)
        for tag in (FALLBACK_LANGUAGE, language.partition("-")[0], language):
            words |= known.get(tag, {})
    return words


def _read_messages_file(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    try:
        found = _parse_messages(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = Location(display_path(path), mark.line + 1 if mark else None)
        raise TemplateError("the words can't be read", where=where) from error
    if not isinstance(found, dict) or not all(isinstance(said, dict) for said in found.values()):
        raise TemplateError("this holds no words by language", where=Location(display_path(path)))
    return {
        str(tag): {str(key): str(word) for key, word in said.items()} for tag, said in found.items()
    }


# An editor's folder mostly holds the program's own text.
@lru_cache(maxsize=2)
def _parse_messages(text: str) -> Any:
    # libyaml takes a seventh of the time (10 ms against 70), each time that a server starts.
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both safe
