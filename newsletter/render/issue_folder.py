"""Read an issue's folder once, and render what was read."""

from dataclasses import dataclass
from pathlib import Path

from newsletter.posts.issue import Issue
from newsletter.posts.read_issue import read_issue
from newsletter.project import Project
from newsletter.render.article.build import Article
from newsletter.render.email import Email
from newsletter.render.issue import build_issue_article, render_issue
from newsletter.render.template.loader import Templates, load_templates


@dataclass(frozen=True, slots=True)
class RenderedIssue:
    """An issue and its email. Whoever looks at both compares the same state of the files.

    Attributes:
        issue: the issue as read from its folder.
        templates: the templates that were used.
        article: the issue's article in the HTML of emails.
        email: the email, with its merge tokens.
    """

    issue: Issue
    templates: Templates
    article: Article
    email: Email


def render_issue_folder(
    project: Project, folder: Path, templates: Templates | None = None
) -> RenderedIssue:
    """Read an issue and render it.

    Args:
        project: its settings are used, and its templates if no others are given.
        folder: the issue's folder.
        templates: other templates, or the project's if they are loaded already.

    Raises:
        PostError: all problems of the post that one pass can find.
        TemplateError: a template is wrong.
        RenderError: the article can't be rendered.
    """
    issue = read_issue(folder, project.config)
    if templates is None:
        templates = load_templates(project.templates_dir)
    article = build_issue_article(issue, templates, project.config)
    email = render_issue(issue, templates, project.config, article=article)
    return RenderedIssue(issue, templates, article, email)
