import ast
import datetime
import inspect
import re
import socket
from collections.abc import Callable
from email.header import decode_header, make_header
from pathlib import Path

import pytest

import newsletter.render
from newsletter.config.models import (
    Config,
    Fonts,
    FooterLink,
    SenderSettings,
    SendGridSettings,
    Theme,
    UtmSettings,
)
from newsletter.errors import RenderError, TemplateError
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Author, CallToAction, FrontMatterImage, FurtherReadingCard, Issue
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTag
from newsletter.posts.post import LocalImage
from newsletter.render.email import Email, NamedAddress
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates, load_templates

ROOT = Path(__file__).parents[2]

TemplatesOf = Callable[..., Templates]
IssueOf = Callable[..., Issue]
ConfigOf = Callable[..., Config]
Render = Callable[..., Email]

NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")


@pytest.fixture
def render(templates_of: TemplatesOf, issue_of: IssueOf, config_of: ConfigOf) -> Render:
    """Renders values: what is not given is the least there can be."""

    def run(
        issue: Issue | None = None,
        templates: Templates | None = None,
        config: Config | None = None,
    ) -> Email:
        return render_issue(issue or issue_of(), templates or templates_of(), config or config_of())

    return run


def everything(issue_of: IssueOf) -> Issue:
    """An issue with all that front matter can say."""
    return issue_of(
        "<h2>Ebb</h2><p>-nl0h-, <a href='/log?n=-nl0u-'>look</a>.</p>"
        "<pre><code>a\n\n  b</code></pre>"
        "<p><img src='boat.jpg' alt='A boat'></p>",
        subject="-nl0t-, the tide",
        preheader="Low & high for -nl0t-",
        number=7,
        merge_tags=(NAME,),
        hero=FrontMatterImage("boat.jpg", "A boat", "Our boat"),
        author=Author("Ingrid", "Mends nets.", "https://harbournotes.example/about"),
        button=CallToAction("More", "https://other.example/?n=-nl0u-"),
        further=(FurtherReadingCard("Knots", "https://harbournotes.example/knots", "Three."),),
        post={
            "title": "Tide & “time” for -nl0t-",
            "author": "Ingrid Vold",
            "date": datetime.date(2026, 11, 22),
            "images": {"boat.jpg": LocalImage("boat.jpg", 1200, 800, 9_000)},
        },
    )


@pytest.mark.parametrize("template", ["issue", "plain"])
def test_the_default_templates_render_all_that_an_issue_can_hold(
    issue_of: IssueOf, config_of: ConfigOf, template: str
) -> None:
    config = config_of(
        theme=Theme(template=template),
        attributes={"name": "friend"},
        utm=UtmSettings(source="letter"),
        footer_links=(FooterLink(text="About", url="https://harbournotes.example/about"),),
        image_url="https://cdn.example/{slug}/{file}",
    )
    email = render_issue(everything(issue_of), load_templates(ROOT / "templates"), config)

    html = email.html
    assert html.startswith('<!DOCTYPE html>\n<html lang="en" dir="ltr"')
    assert "<title>Tide &amp; “time” for -nl0h-</title>" in html
    assert "Low &amp; high for -nl0h-" in html
    assert "<pre" in html
    assert "a\n\n  b" in html
    assert 'href="-nlunsubscribeu-"' in html
    assert 'href="-nlpreferencesu-"' in html
    assert 'href="https://harbournotes.example/log?n=-nl0u-&amp;utm_source=letter"' in html
    assert 'href="https://other.example/?n=-nl0u-"' in html
    assert 'href="https://harbournotes.example/knots?utm_source=letter"' in html
    assert 'src="https://cdn.example/the-tide/boat.jpg"' in html
    assert "1 Quay Street, Bergen" in html
    assert "-nl0t-" not in html

    text = email.text
    assert text.startswith(
        "Harbour Notes\nNo. 7 · 22 November 2026\n\nTide & “time” for -nl0t-\n===="
    )
    assert "By Ingrid Vold · 1 min read\n" in text
    assert "More:\nhttps://other.example/?n=-nl0u-\n" in text
    assert "Ingrid\nMends nets.\nhttps://harbournotes.example/about?utm_source=letter\n" in text
    assert "* Knots\n  Three.\n  https://harbournotes.example/knots?utm_source=letter\n" in text
    assert "Preferences: -nlpreferencesu-\nUnsubscribe: -nlunsubscribeu-\n" in text
    assert "About: https://harbournotes.example/about\n" in text
    assert text.endswith("\n1 Quay Street, Bergen\n")
    assert not re.search(r"-nl\w+h-", text)

    assert email.subject == "-nl0t-, the tide"
    assert email.merge_tags == (NAME, UNSUBSCRIBE_TAG, PREFERENCES_TAG)


def test_the_same_arguments_give_the_same_bytes(render: Render, issue_of: IssueOf) -> None:
    first, second = render(everything(issue_of)), render(everything(issue_of))
    assert first == second
    assert first.content_sha == second.content_sha


def test_rendering_asks_nothing_of_the_network_or_the_clock(
    render: Render, issue_of: IssueOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    render()  # imports are done

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr("builtins.open", refuse)
    render(everything(issue_of))
    names = {
        node.attr
        for path in Path(inspect.getfile(newsletter.render)).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not names & {"now", "today", "utcnow", "time_ns", "random", "uuid4", "token_hex"}


def test_the_css_is_inlined_with_the_themes_own_colours(
    render: Render, templates_of: TemplatesOf
) -> None:
    templates = templates_of(css=".article p { color: {{ theme.light.accent }} }")
    assert '<p style="color:#1f5f8b">Low water.</p>' in render(templates=templates).html


def test_a_template_may_have_a_css_of_its_own(
    render: Render, issue_of: IssueOf, templates_of: TemplatesOf
) -> None:
    page = templates_of().files["issue.mjml"]
    more = {"bare.mjml": page, "bare.css": "p { top: 2px }"}
    templates = templates_of(css="p { top: 1px }", more=more)
    assert 'style="top:1px"' in render(templates=templates).html
    assert 'style="top:2px"' in render(issue_of(template="bare"), templates).html


def test_a_folder_without_css_renders_too(render: Render, templates_of: TemplatesOf) -> None:
    page = {"issue.mjml": templates_of().files["issue.mjml"]}
    assert "<p>Low water.</p>" in render(templates=Templates("templates", page)).html


def test_a_readers_own_way_out_is_in_headers_where_a_server_of_ours_answers(
    config_of: ConfigOf,
) -> None:
    config = config_of(public_url="https://news.harbournotes.example")
    assert build_unsubscribe_headers(config, "t0ken") == (
        ("List-Unsubscribe", "<https://news.harbournotes.example/u/t0ken>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    assert (
        build_unsubscribe_headers(config_of(sendgrid=SendGridSettings(asm_group=7)), "t0ken") == ()
    )


def test_fonts_with_quotes_in_their_names_survive_in_every_place(
    render: Render, templates_of: TemplatesOf, config_of: ConfigOf
) -> None:
    page = (
        templates_of()
        .files["issue.mjml"]
        .replace(
            "</mj-head>",
            "<mj-style>.x { font-family: {{ theme.fonts.code }} }</mj-style></mj-head>",
        )
    )
    templates = templates_of(page, css="p { font-family: {{ theme.fonts.code }} }")
    config = config_of(theme=Theme(fonts=Fonts(code="'Courier New', mono")))
    html = render(None, templates, config).html
    assert "<style type=\"text/css\">.x { font-family: 'Courier New', mono }</style>" in html
    assert "<p style='font-family:\"Courier New\", mono'>" in html


def test_a_merge_tag_of_a_template_is_safe_in_text_and_in_an_address(
    render: Render, templates_of: TemplatesOf
) -> None:
    page = (
        templates_of()
        .files["issue.mjml"]
        .replace(
            "</mj-body>",
            '<mj-section><mj-column><mj-text>{{ subscriber.city | default("town") }} '
            '<a href="https://a.example/{{ subscriber.city | default("town") }}">x</a></mj-text>'
            "</mj-column></mj-section></mj-body>",
        )
    )
    email = render(templates=templates_of(page))
    assert '-nl0h- <a href="https://a.example/-nl0u-">' in email.html
    assert email.merge_tags[0].default == "town"


def test_what_an_editor_writes_is_never_markup_nor_the_articles_place(
    render: Render, issue_of: IssueOf
) -> None:
    title = '<script>\ufdd0article\ufdd1</script> {{ 7 * 7 }} & "x"'
    html = render(issue_of(post={"title": title})).html
    assert "<script" not in html
    assert '&lt;script&gt;article&lt;/script&gt; {{ 7 * 7 }} &amp; "x"' in html
    assert html.count("Low water.") == 1


@pytest.mark.parametrize(
    ("language", "direction"), [("ar", "rtl"), ("he-IL", "rtl"), ("en", "ltr"), ("ja", "ltr")]
)
def test_language_and_direction_are_said_to_screen_readers(
    render: Render, issue_of: IssueOf, language: str, direction: str
) -> None:
    email = render(issue_of(post={"language": language}))
    assert f'<html lang="{language}" dir="{direction}"' in email.html
    assert email.language == language


def test_the_text_part_speaks_the_words_of_the_template(
    render: Render, templates_of: TemplatesOf
) -> None:
    words = '{% set words = {"online": "På nett", "leave": nobody} %}'
    text = render(templates=templates_of(more={"partials/words.mjml": words})).text
    assert "På nett: https://public-url-not-set.example/issues/the-tide\n" in text
    assert "Unsubscribe: -nlunsubscribeu-" in text


def test_headers_name_the_list_and_nobody_on_it(render: Render, config_of: ConfigOf) -> None:
    assert render(config=config_of(site_url="https://www.harbournotes.example/a")).headers == (
        ("List-Id", "Harbour Notes <harbour-notes.harbournotes.example>"),
        ("Feedback-ID", "the-tide:harbour-notes:newsletter:harbournotes"),
    )


@pytest.mark.parametrize(
    ("name", "list_id", "sender_id"),
    [
        ("Ada, Bo & Co.", '"Ada, Bo & Co." <ada-bo-co.', "adaboco"),
        ("潮", "=?utf-8?", "chao0"),
        ("The Notes of a Very Small Harbour", "The Notes of", "thenotesofavery"),
    ],
)
def test_any_name_makes_a_valid_list_id_and_feedback_id(
    render: Render, config_of: ConfigOf, name: str, list_id: str, sender_id: str
) -> None:
    headers = dict(render(config=config_of(name=name)).headers)
    assert headers["List-Id"].startswith(list_id)
    assert headers["List-Id"].isascii()
    phrase = headers["List-Id"].rpartition(" <")[0].strip('"')
    assert str(make_header(decode_header(phrase))) == name
    assert headers["Feedback-ID"].split(":")[-1] == sender_id
    assert 5 <= len(sender_id) <= 15


def test_sender_and_reply_to_may_be_the_issues_own(
    render: Render, issue_of: IssueOf, config_of: ConfigOf
) -> None:
    config = config_of(
        sender=SenderSettings(
            name="Notes", address="a@harbournotes.example", reply_to="b@harbournotes.example"
        )
    )
    plain, own = (
        render(config=config),
        render(issue_of(sender_name="Bo", reply_to="c@x.example"), None, config),
    )
    assert (plain.sender, plain.reply_to) == (
        NamedAddress("Notes", "a@harbournotes.example"),
        NamedAddress("", "b@harbournotes.example"),
    )
    assert (own.sender, own.reply_to) == (
        NamedAddress("Bo", "a@harbournotes.example"),
        NamedAddress("", "c@x.example"),
    )


def test_with_an_unsubscribe_group_and_no_server_the_vendors_links_serve(
    render: Render, templates_of: TemplatesOf, config_of: ConfigOf
) -> None:
    page = (
        templates_of()
        .files["issue.mjml"]
        .replace(">Leave</a>", '>Leave</a> <a href="{{ preferences_url }}">Choose</a>')
    )
    group = SendGridSettings(asm_group=7)
    email = render(None, templates_of(page), config_of(sendgrid=group))
    assert 'href="<%asm_group_unsubscribe_raw_url%>"' in email.html
    assert 'href="<%asm_preferences_raw_url%>"' in email.html
    assert "Unsubscribe: <%asm_group_unsubscribe_raw_url%>\n" in email.text
    assert email.merge_tags == ()

    served = config_of(sendgrid=group, public_url="https://news.harbournotes.example")
    assert render(config=served).merge_tags == (UNSUBSCRIBE_TAG, PREFERENCES_TAG)


def test_a_template_without_a_way_out_is_an_error(
    render: Render, templates_of: TemplatesOf
) -> None:
    page = templates_of().files["issue.mjml"]
    for bad in ("https://a.example", ""):
        with pytest.raises(TemplateError) as caught:
            render(templates=templates_of(page.replace("{{ unsubscribe_url }}", bad)))
        assert str(caught.value).startswith(
            "templates/issue.mjml: the mail has no link to unsubscribe"
        )


def test_an_import_in_css_is_an_error_at_its_line(
    render: Render, templates_of: TemplatesOf
) -> None:
    css = "/* @import is fine here */\n{# a\n comment #}\np { top: 0 }\n@IMPORT 'a.css';"
    with pytest.raises(TemplateError, match=r"templates/article\.css:5: @import fetches nothing"):
        render(templates=templates_of(css=css))


def test_a_template_that_is_not_there_is_told_where_it_was_named(
    render: Render, issue_of: IssueOf, config_of: ConfigOf
) -> None:
    issue = issue_of(template="izzue", front_matter_lines={"template": 4})
    with pytest.raises(TemplateError) as caught:
        render(issue)
    assert str(caught.value) == (
        "issues/2026-11-22-the-tide/post.md:4: there is no template templates/izzue.mjml. "
        "Did you mean 'issue'?"
    )
    with pytest.raises(TemplateError, match=r"^newsletter\.yml: there is no template"):
        render(config=config_of(theme=Theme(template="zzz")))


def test_faults_in_an_included_file_are_told_there_all_at_once(
    render: Render, templates_of: TemplatesOf
) -> None:
    page = (
        templates_of()
        .files["issue.mjml"]
        .replace("</mj-body>", "{% include 'partials/foot.mjml' %}\n<mj-sektion />\n</mj-body>")
    )
    foot = "<mj-section>\n<mj-column>\n<mj-buton />\n</mj-column></mj-section>"
    with pytest.raises(TemplateError) as caught:
        render(templates=templates_of(page, more={"partials/foot.mjml": foot}))
    assert [str(problem) for problem in caught.value.problems] == [
        f"templates/{place}. Did you mean <{right}>?"
        for place, right in (
            ("partials/foot.mjml:3: <mj-buton> is no MJML component", "mj-button"),
            ("issue.mjml:12: <mj-sektion> is no MJML component", "mj-section"),
        )
    ]


def test_an_article_too_deep_for_mail_is_an_error_of_the_users(
    render: Render, issue_of: IssueOf
) -> None:
    deep = "<div>" * 98 + "<p>x</p>" + "</div>" * 98
    with pytest.raises(RenderError, match="100 elements deep"):
        render(issue_of(deep))


def test_an_article_can_neither_break_out_of_its_place_nor_hide_the_rest(
    render: Render, issue_of: IssueOf
) -> None:
    body = sanitize_html("<p>&lt;!--[if mso]&gt;</div></td></tr></table></body><!--[if mso]><b>b")
    html = render(issue_of(body)).html
    assert html.count("</body>") == html.count("<body") == 1
    assert html.index("&lt;!--[if mso]&gt;") < html.index("Leave")
    assert html.count("<!--[if") == html.count("<![endif]-->")
