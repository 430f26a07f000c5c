"""Render a project's emails to one reader, its own or the default ones."""

import os
from dataclasses import replace
from pathlib import Path

from newsletter.posts.issue import Issue
from newsletter.posts.read_welcome import WELCOME_FILE, read_welcome
from newsletter.project import Project
from newsletter.project.scaffold import default_templates_dir
from newsletter.render.email import Email
from newsletter.render.template.loader import Templates, load_templates
from newsletter.render.transactional import (
    TransactionalContent,
    get_transactional_template,
    render_transactional,
)
from newsletter.render.welcome import (
    WELCOME_TEMPLATE,
    WelcomedReader,
    make_default_welcome,
    render_welcome,
)
from newsletter.render.words import load_words

_NOBODY = WelcomedReader()


class ProjectEmails:
    """Renders a project's emails to one reader; reads its templates once.

    An email for which the project has no template uses the default one with all that it includes,
    since the project's own parts may lack what a new email needs.

    Args:
        project: the newsletter's project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._folders = (project.templates_dir, default_templates_dir())
        self._loaded: dict[Path, Templates] = {}

    @property
    def unused_welcome_file(self) -> Path | None:
        """The project's ``welcome.md`` if its ``welcome.mjml`` is used instead.

        Raises:
            TemplateError: the templates can't be read.
        """
        return self._welcome_file if self._has_welcome_template() else None

    def find_own_file(self, kind: str) -> Path | None:
        """Return the project's file that an email of a kind is rendered from; ``None`` without one.

        Raises:
            TemplateError: the templates can't be read.
        """
        own = self._folders[0]
        if (name := get_transactional_template(kind)) in self._load(own).files:
            return own / name
        return self._welcome_file if kind == "welcome" else None

    def read_own_welcome(self) -> Issue | None:
        """Return the project's own welcome email, if it is written in Markdown.

        Raises:
            PostError: ``welcome.md`` is wrong; all problems of one pass.
            TemplateError: the templates can't be read.
        """
        file = self._welcome_file
        if file is None or self._has_welcome_template():
            return None
        return read_welcome(file, self._project.config)

    @property
    def _welcome_file(self) -> Path | None:
        """The project's ``welcome.md``, even as a link that leads nowhere, which is a mistake."""
        file = self._project.templates_dir / WELCOME_FILE
        return file if os.path.lexists(file) else None

    def _has_welcome_template(self) -> bool:
        return get_transactional_template("welcome") in self._load(self._folders[0]).files

    def render(
        self,
        content: TransactionalContent,
        reader: WelcomedReader = _NOBODY,
        *,
        language: str = "",
    ) -> Email:
        """Return an email.

        Args:
            content: its kind and its values.
            reader: whom a welcome email is for.
            language: a language tag, if the reader's is not the newsletter's; the project's own
                ``welcome.md`` is in its own.

        Raises:
            PostError: ``welcome.md`` is wrong; all problems of one pass.
            TemplateError: a template is wrong or missing; all problems of one pass.
            RenderError: the document can't be rendered.
        """
        config = self._project.config
        name = get_transactional_template(content.kind)
        if content.kind == "welcome" and not self._has_welcome_template():
            return self._render_markdown_welcome(content, reader, language or config.language)
        return render_transactional(content, self._find_templates(name), config, language)

    def _render_markdown_welcome(
        self, content: TransactionalContent, reader: WelcomedReader, language: str
    ) -> Email:
        config = self._project.config
        templates = self._find_templates(WELCOME_TEMPLATE)
        welcome = self.read_own_welcome()
        if welcome is None:
            words = load_words(templates.own_words, language, "email")
            welcome = make_default_welcome(words, config, language)
        return render_welcome(welcome, content, reader, templates, config)

    def _find_templates(self, name: str) -> Templates:
        own, default = map(self._load, self._folders)
        return own if name in own.files else replace(default, own_words=own.own_words)

    def _load(self, folder: Path) -> Templates:
        if folder not in self._loaded:
            self._loaded[folder] = load_templates(folder)
        return self._loaded[folder]
