"""The welcome email: the reader's values, the latest issues, the default text."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from newsletter.config.models import Config
from newsletter.errors import PostError, TemplateError
from newsletter.posts.issue import CallToAction
from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.project import Project
from newsletter.project.scaffold import create_project
from newsletter.render.email import Email
from newsletter.render.latest_issues import LatestIssue
from newsletter.render.project_emails import ProjectEmails
from newsletter.render.template.loader import load_templates
from newsletter.render.transactional import TransactionalContent
from newsletter.render.welcome import WelcomedReader, make_default_welcome, render_welcome
from newsletter.render.words import NO_WORDS, list_shipped_languages, load_words

MakeConfig = Callable[..., Config]

TEMPLATES = load_templates(Path(__file__).parents[2] / "templates")
CONTENT = TransactionalContent(
    "welcome",
    unsubscribe_url="https://news.example/u/token",
    preferences_url="https://news.example/p/token",
)
ISSUES = [
    LatestIssue(
        f"Tide & time {day}", f"https://news.example/issues/{day}", datetime.date(2026, 11, day)
    )
    for day in (22, 15, 8, 1)
]
BLOCK = '<div class="latest-issues latest-issues-3"><h2>Read on</h2></div>'


def find_latest(count: int) -> list[LatestIssue]:
    return ISSUES[:count]


@pytest.fixture
def render(make_issue: Any, make_config: MakeConfig) -> Callable[..., Email]:
    def render(body: str, reader: WelcomedReader = WelcomedReader(), **changes: Any) -> Email:  # noqa: B008
        welcome = replace(make_issue(body), **changes)
        return render_welcome(welcome, CONTENT, reader, TEMPLATES, make_config())

    return render


def test_values_of_the_reader_are_filled_in_and_escaped(render: Callable[..., Email]) -> None:
    tag = MergeTag("0", "first_name", "there", "")
    body = (
        '<p>Ahoy -nl0h-, <a href="https://x.example/?n=-nl0h-">you</a>, '
        '<a href="-nlunsubscribeh-">leave</a>.</p>'
    )
    texts = {"subject": "Ahoy -nl0t-", "preheader": "For -nl0t-", "merge_tags": (tag,)}
    reader = WelcomedReader({"first_name": "Ada <b> & co"})
    email = render(body, reader, **texts)
    assert (email.subject, email.preheader) == ("Ahoy Ada <b> & co", "For Ada <b> & co")
    assert "Ahoy Ada &lt;b&gt; &amp; co" in email.html
    assert "https://x.example/?n=Ada%20%3Cb%3E%20%26%20co" in email.html
    assert "Ahoy Ada <b> & co" in email.text
    assert email.text.count(CONTENT.unsubscribe_url) == 2
    assert "-nl" not in email.html + email.text
    assert (email.merge_tags, email.headers) == ((), (("Auto-Submitted", "auto-generated"),))
    assert "Ahoy there" in render(body, **texts).text


def test_latest_issues_follow_what_is_in_their_block(render: Callable[..., Email]) -> None:
    email = render(f"<p>Hello.</p>{BLOCK}<p>Bye.</p>", WelcomedReader(find_latest=find_latest))
    text = " ".join(email.text.split())
    assert (
        "Hello. Read on ------- - Tide & time 22 <https://news.example/issues/22> 22 November 2026"
        in text
    )
    assert "8 November 2026 Bye." in text
    assert "Tide &amp; time 8" in email.html
    assert "issues/1<" not in email.html
    without = render(f"<p>Hello.</p>{BLOCK}<p>Bye.</p>")
    assert "Read on" not in without.html
    assert "Hello.\n\nBye." in without.text


def test_headline_button_and_preheader_are_optional(
    render: Callable[..., Email], make_issue: Any
) -> None:
    post = replace(make_issue("<p>Hello.</p>").post, title="")
    plain = render("", post=post)
    assert "<h1" not in plain.html
    assert "class=button" not in plain.html.replace('"', "")
    assert "&#847;" not in plain.html
    button = CallToAction("Visit us", "https://harbournotes.example/start")
    full = render("<p>Hello.</p>", button=button, preheader="Good to see you")
    for part in (full.html, full.text):
        assert "The tide" in part
        assert "https://harbournotes.example/start" in part


def test_default_is_complete_in_every_language(make_config: MakeConfig) -> None:
    name = "Salt & <b>Bait</b> 100 {name} %s"
    for language in list_shipped_languages():
        config = make_config(name=name, description="Tides <weekly>.")
        words = load_words(NO_WORDS, language, "email")
        reader = WelcomedReader(find_latest=find_latest)
        default = make_default_welcome(words, config, language)
        email = render_welcome(default, CONTENT, reader, TEMPLATES, config)
        assert email.language == language
        assert name in email.subject
        assert "<b>Bait" not in email.html
        assert "Tides &lt;weekly&gt;." in email.html
        assert words["welcome_latest"] in email.text
        assert email.text.count("https://news.example/issues/") == 3


def test_own_markdown_own_mjml_and_default(tmp_path: Path, make_config: MakeConfig) -> None:
    create_project(tmp_path, "Harbour Notes", None)
    templates = tmp_path / "templates"
    project = Project(tmp_path, make_config())

    def render() -> str:
        return ProjectEmails(project).render(CONTENT).text

    assert "Thanks for reading." in render()
    (templates / "welcome.md").write_text("# Ahoy\n\nOur own text.\n")
    assert "Our own text." in render()
    (templates / "partials" / "welcome.mjml").unlink()  # as in a project of an earlier version
    assert "Our own text." in render()
    (templates / "welcome.md").unlink()
    assert "Thanks for reading." in render()
    (templates / "welcome.md").symlink_to("gone.md")
    with pytest.raises(PostError, match=r"welcome\.md: the file can't be read: no such file"):
        render()
    (templates / "welcome.md").unlink()
    (templates / "welcome.md").write_text("# Ahoy\n\nOur own text.\n")
    column = "<mj-column><mj-text>Ours</mj-text></mj-column>"
    page = f"<mjml><mj-body><mj-section>{column}</mj-section></mj-body></mjml>"
    head = '{% set subject = "A" %}{% set preheader = "B" %}'
    (templates / "welcome.mjml").write_text(head + page)
    assert render() == "Ours\n"
    (templates / "welcome.mjml").write_text(head + "<mjml>")
    with pytest.raises(TemplateError, match=r"templates/welcome\.mjml"):
        render()
