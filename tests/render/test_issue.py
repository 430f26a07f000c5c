import ast
import datetime
import inspect
import re
import socket
from collections.abc import Callable
from email.header import decode_header, make_header
from pathlib import Path

import pytest
from designs import DESIGNS

import newsletter.render
from newsletter.config.models import (
    Config,
    FooterLink,
    SenderSettings,
    SendGridSettings,
    UtmSettings,
)
from newsletter.config.theme import Fonts, Theme
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

MakeTemplates = Callable[..., Templates]
MakeIssue = Callable[..., Issue]
MakeConfig = Callable[..., Config]
Render = Callable[..., Email]

NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")


@pytest.fixture
def render(make_templates: MakeTemplates, make_issue: MakeIssue, make_config: MakeConfig) -> Render:
    """Return a function that renders an issue; arguments not given are minimal."""

    def run(
        issue: Issue | None = None,
        templates: Templates | None = None,
        config: Config | None = None,
    ) -> Email:
        return render_issue(
            issue or make_issue(), templates or make_templates(), config or make_config()
        )

    return run


def make_full_issue(make_issue: MakeIssue) -> Issue:
    """Return an issue with every setting of the front matter."""
    return make_issue(
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


@pytest.mark.parametrize("template", DESIGNS)
def test_default_templates_render_a_full_issue(
    make_issue: MakeIssue, make_config: MakeConfig, template: str
) -> None:
    config = make_config(
        theme=Theme(template=template),
        attributes={"name": "friend"},
        utm=UtmSettings(source="letter"),
        footer_links=(FooterLink(text="About", url="https://harbournotes.example/about"),),
        image_url="https://cdn.example/{slug}/{file}",
    )
    email = render_issue(make_full_issue(make_issue), load_templates(ROOT / "templates"), config)

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
    assert all(f">{words}<" in html for words in ("Our boat", "Ingrid", "Mends nets.", "Knots"))
    assert "-nl0t-" not in html

    text = email.text
    assert text.startswith(
        "Harbour Notes\nNo. 7 · 22 November 2026\n\nTide & “time” for -nl0t-\n===="
    )
    assert "By Ingrid Vold · 1 min read\n" in text
    assert "More: https://other.example/?n=-nl0u-\n" in text
    assert "Ingrid\nMends nets.\nhttps://harbournotes.example/about?utm_source=letter\n" in text
    assert "* Knots\n  Three.\n  https://harbournotes.example/knots?utm_source=letter\n" in text
    assert "Preferences: -nlpreferencesu-\nUnsubscribe: -nlunsubscribeu-\n" in text
    assert "About: https://harbournotes.example/about\n" in text
    assert text.endswith("\n1 Quay Street, Bergen\n")
    assert not re.search(r"-nl\w+h-", text)

    assert email.subject == "-nl0t-, the tide"
    assert email.merge_tags == (NAME, UNSUBSCRIBE_TAG, PREFERENCES_TAG)


def test_rendering_is_deterministic(render: Render, make_issue: MakeIssue) -> None:
    first, second = render(make_full_issue(make_issue)), render(make_full_issue(make_issue))
    assert first == second
    assert first.content_sha == second.content_sha


def test_rendering_uses_no_network_files_or_clock(
    render: Render, make_issue: MakeIssue, monkeypatch: pytest.MonkeyPatch
) -> None:
    render()  # so that all imports are done

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr("builtins.open", refuse)
    render(make_full_issue(make_issue))
    names = {
        node.attr
        for path in Path(inspect.getfile(newsletter.render)).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not names & {"now", "today", "utcnow", "time_ns", "random", "uuid4", "token_hex"}


def test_css_is_inlined_with_theme_colors(render: Render, make_templates: MakeTemplates) -> None:
    templates = make_templates(css=".article p { color: {{ theme.light.accent }} }")
    assert '<p style="color:#1f5f8b">Low water.</p>' in render(templates=templates).html


def test_template_may_have_its_own_css(
    render: Render, make_issue: MakeIssue, make_templates: MakeTemplates
) -> None:
    page = make_templates().files["issue.mjml"]
    more = {"bare.mjml": page, "bare.css": "p { top: 2px }"}
    templates = make_templates(css="p { top: 1px }", more=more)
    assert 'style="top:1px"' in render(templates=templates).html
    assert 'style="top:2px"' in render(make_issue(template="bare"), templates).html


def test_templates_without_css_are_rendered(render: Render, make_templates: MakeTemplates) -> None:
    page = {"issue.mjml": make_templates().files["issue.mjml"]}
    assert "<p>Low water.</p>" in render(templates=Templates("templates", page)).html


def test_unsubscribe_headers_need_a_public_url(
    make_config: MakeConfig,
) -> None:
    config = make_config(public_url="https://news.harbournotes.example")
    assert build_unsubscribe_headers(config, "t0ken") == (
        ("List-Unsubscribe", "<https://news.harbournotes.example/u/t0ken>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    assert (
        build_unsubscribe_headers(make_config(sendgrid=SendGridSettings(asm_group=7)), "t0ken")
        == ()
    )


def test_quoted_font_names_are_kept(
    render: Render, make_templates: MakeTemplates, make_config: MakeConfig
) -> None:
    page = (
        make_templates()
        .files["issue.mjml"]
        .replace(
            "</mj-head>",
            "<mj-style>.x { font-family: {{ theme.fonts.code }} }</mj-style></mj-head>",
        )
    )
    templates = make_templates(page, css="p { font-family: {{ theme.fonts.code }} }")
    config = make_config(theme=Theme(fonts=Fonts(code="'Courier New', mono")))
    html = render(None, templates, config).html
    assert "<style type=\"text/css\">.x { font-family: 'Courier New', mono }</style>" in html
    assert "<p style='font-family:\"Courier New\", mono'>" in html


def test_merge_tag_of_a_template_is_escaped_by_context(
    render: Render, make_templates: MakeTemplates
) -> None:
    page = (
        make_templates()
        .files["issue.mjml"]
        .replace(
            "</mj-body>",
            '<mj-section><mj-column><mj-text>{{ subscriber.city | default("town") }} '
            '<a href="https://a.example/{{ subscriber.city | default("town") }}">x</a></mj-text>'
            "</mj-column></mj-section></mj-body>",
        )
    )
    email = render(templates=make_templates(page))
    assert '-nl0h- <a href="https://a.example/-nl0u-">' in email.html
    assert email.merge_tags[0].default == "town"


def test_editor_text_is_never_markup_or_the_article_marker(
    render: Render, make_issue: MakeIssue
) -> None:
    title = '<script>\ufdd0article\ufdd1</script> {{ 7 * 7 }} & "x"'
    html = render(make_issue(post={"title": title})).html
    assert "<script" not in html
    assert '&lt;script&gt;article&lt;/script&gt; {{ 7 * 7 }} &amp; "x"' in html
    assert html.count("Low water.") == 1


@pytest.mark.parametrize(
    ("language", "direction"), [("ar", "rtl"), ("he-IL", "rtl"), ("en", "ltr"), ("ja", "ltr")]
)
def test_document_has_language_and_direction(
    render: Render, make_issue: MakeIssue, language: str, direction: str
) -> None:
    email = render(make_issue(post={"language": language}))
    assert f'<html lang="{language}" dir="{direction}"' in email.html
    assert email.language == language


def test_text_part_has_the_words_of_templates_of_version_0_1(
    render: Render, make_templates: MakeTemplates, make_config: MakeConfig
) -> None:
    labels = '{% set words = {"online": "På nett", "leave": nobody} %}'
    config = make_config(issue_url="https://harbournotes.example/{slug}")
    text = render(
        templates=make_templates(more={"partials/words.mjml": labels}), config=config
    ).text
    assert "På nett: https://harbournotes.example/the-tide\n" in text
    assert "Unsubscribe: -nlunsubscribeu-" in text


@pytest.mark.parametrize(
    ("language", "label"),
    [
        ("en", "min read"),
        ("pt-BR", "min de leitura"),
        ("nb", "min lesetid"),
        ("no", "min lesetid"),
        ("nn-NO", "min lesetid"),
        ("zh-CN", "分钟阅读"),
        ("zh-TW", "分鐘閱讀"),
        ("zh-Hant-HK", "分鐘閱讀"),
        ("eo", "min read"),
    ],
)
def test_reading_time_is_in_the_language_of_the_post(
    make_issue: MakeIssue, make_config: MakeConfig, language: str, label: str
) -> None:
    templates = load_templates(ROOT / "templates")
    email = render_issue(make_issue(post={"language": language}), templates, make_config())
    assert f"1 {label}" in email.html


def test_common_headers_name_the_list_and_no_recipient(
    render: Render, make_config: MakeConfig
) -> None:
    assert render(config=make_config(site_url="https://www.harbournotes.example/a")).headers == (
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
def test_any_newsletter_name_gives_valid_list_id_and_feedback_id(
    render: Render, make_config: MakeConfig, name: str, list_id: str, sender_id: str
) -> None:
    headers = dict(render(config=make_config(name=name)).headers)
    assert headers["List-Id"].startswith(list_id)
    assert headers["List-Id"].isascii()
    phrase = headers["List-Id"].rpartition(" <")[0].strip('"')
    assert str(make_header(decode_header(phrase))) == name
    assert headers["Feedback-ID"].split(":")[-1] == sender_id
    assert 5 <= len(sender_id) <= 15


def test_issue_overrides_sender_and_reply_to(
    render: Render, make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    config = make_config(
        sender=SenderSettings(
            name="Notes", address="a@harbournotes.example", reply_to="b@harbournotes.example"
        )
    )
    default, overridden = (
        render(config=config),
        render(make_issue(sender_name="Bo", reply_to="c@x.example"), None, config),
    )
    assert (default.sender, default.reply_to) == (
        NamedAddress("Notes", "a@harbournotes.example"),
        NamedAddress("", "b@harbournotes.example"),
    )
    assert (overridden.sender, overridden.reply_to) == (
        NamedAddress("Bo", "a@harbournotes.example"),
        NamedAddress("", "c@x.example"),
    )


def test_provider_links_are_used_with_an_unsubscribe_group_and_no_server(
    render: Render, make_templates: MakeTemplates, make_config: MakeConfig
) -> None:
    page = (
        make_templates()
        .files["issue.mjml"]
        .replace(">Leave</a>", '>Leave</a> <a href="{{ preferences_url }}">Choose</a>')
    )
    group = SendGridSettings(asm_group=7)
    email = render(None, make_templates(page), make_config(sendgrid=group))
    assert 'href="<%asm_group_unsubscribe_raw_url%>"' in email.html
    assert 'href="<%asm_preferences_raw_url%>"' in email.html
    assert "Unsubscribe: <%asm_group_unsubscribe_raw_url%>\n" in email.text
    assert email.merge_tags == ()

    served = make_config(sendgrid=group, public_url="https://news.harbournotes.example")
    assert render(config=served).merge_tags == (UNSUBSCRIBE_TAG, PREFERENCES_TAG)


def test_template_without_an_unsubscribe_link_is_an_error(
    render: Render, make_templates: MakeTemplates
) -> None:
    page = make_templates().files["issue.mjml"]
    for bad in ("https://a.example", ""):
        with pytest.raises(TemplateError) as caught:
            render(templates=make_templates(page.replace("{{ unsubscribe_url }}", bad)))
        assert str(caught.value).startswith(
            "templates/issue.mjml: the template has no unsubscribe link"
        )


def test_css_import_is_an_error_at_its_line(render: Render, make_templates: MakeTemplates) -> None:
    css = "/* @import is fine here */\n{# a\n comment #}\np { top: 0 }\n@IMPORT 'a.css';"
    with pytest.raises(TemplateError, match=r"templates/article\.css:5: @import is not supported"):
        render(templates=make_templates(css=css))


def test_missing_template_is_reported_where_it_is_named(
    render: Render, make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    issue = make_issue(template="izzue", front_matter_lines={"template": 4})
    with pytest.raises(TemplateError) as caught:
        render(issue)
    assert str(caught.value) == (
        "issues/2026-11-22-the-tide/post.md:4: there is no template templates/izzue.mjml. "
        "Did you mean 'issue'? The designs in this folder: issue. Those of this version are in "
        "the templates folder of a new newsletter: newsletter init DIR"
    )
    with pytest.raises(TemplateError, match=r"^newsletter\.yml: there is no template"):
        render(config=make_config(theme=Theme(template="zzz")))


def test_problems_in_an_included_file_are_reported_there(
    render: Render, make_templates: MakeTemplates
) -> None:
    page = (
        make_templates()
        .files["issue.mjml"]
        .replace("</mj-body>", "{% include 'partials/foot.mjml' %}\n<mj-sektion />\n</mj-body>")
    )
    foot = "<mj-section>\n<mj-column>\n<mj-buton />\n</mj-column></mj-section>"
    with pytest.raises(TemplateError) as caught:
        render(templates=make_templates(page, more={"partials/foot.mjml": foot}))
    assert [str(problem) for problem in caught.value.problems] == [
        f"templates/{place}. Did you mean <{suggestion}>?"
        for place, suggestion in (
            ("partials/foot.mjml:3: <mj-buton> is not an MJML component", "mj-button"),
            ("issue.mjml:12: <mj-sektion> is not an MJML component", "mj-section"),
        )
    ]


def test_too_deeply_nested_article_is_an_error(render: Render, make_issue: MakeIssue) -> None:
    deep = "<div>" * 98 + "<p>x</p>" + "</div>" * 98
    with pytest.raises(RenderError, match="nested more than 100 deep"):
        render(make_issue(deep))


def test_article_cannot_break_out_of_its_place_or_hide_the_rest(
    render: Render, make_issue: MakeIssue
) -> None:
    body = sanitize_html("<p>&lt;!--[if mso]&gt;</div></td></tr></table></body><!--[if mso]><b>b")
    html = render(make_issue(body)).html
    assert html.count("</body>") == html.count("<body") == 1
    assert html.index("&lt;!--[if mso]&gt;") < html.index("Leave")
    assert html.count("<!--[if") == html.count("<![endif]-->")


def test_inline_rules_of_the_template_win_over_its_css_file(
    render: Render, make_templates: MakeTemplates
) -> None:
    page_with_rules = (
        make_templates()
        .files["issue.mjml"]
        .replace("</mj-head>", '<mj-style inline="inline">p { color: red }</mj-style></mj-head>')
    )
    email = render(templates=make_templates(page_with_rules, css="p { color: blue; margin: 0 }"))
    assert '<p style="color:red; margin:0">Low water.</p>' in email.html
    assert "mj-style" not in email.html


@pytest.mark.parametrize(
    ("language", "masthead", "align"),
    [
        ("en", "centered", "center"),
        ("en", "left", "left"),
        ("ar", "centered", "center"),
        ("ar", "left", "right"),
    ],
)
def test_masthead_is_centered_or_at_the_start(
    make_issue: MakeIssue, make_config: MakeConfig, language: str, masthead: str, align: str
) -> None:
    config = make_config(theme={"masthead": masthead})
    issue = make_issue(post={"language": language})
    html = render_issue(issue, load_templates(ROOT / "templates"), config).html
    assert re.search(rf'<td [^>]*align="{align}" class="wordmark"', html) or re.search(
        rf'<td align="{align}" class="wordmark"', html
    )


@pytest.mark.parametrize(
    ("number", "date", "description", "cells"),
    [
        (1234, datetime.date(2026, 11, 2), "Tides", ["No. 1234", "2 November 2026"]),
        (7, None, "Tides", ["No. 7"]),
        (None, datetime.date(2026, 11, 2), "Tides", ["2 November 2026"]),
        (None, None, "Boats & tides", ["Boats &amp; tides"]),
        (None, None, "", []),
    ],
)
def test_masthead_has_one_line(
    make_issue: MakeIssue,
    make_config: MakeConfig,
    number: int | None,
    date: datetime.date | None,
    description: str,
    cells: list[str],
) -> None:
    issue = make_issue(number=number, post={"date": date})
    html = render_issue(
        issue, load_templates(ROOT / "templates"), make_config(description=description)
    ).html
    dateline = re.search(r'<table class="dateline".*?</table>', html, re.DOTALL)
    found = re.findall(r"<td[^>]*>(.*?)</td>", dateline[0]) if dateline else []
    assert found == cells
    assert html.count('class="rule"') == (2 if cells else 1)


def test_banner_is_as_wide_as_the_email_and_named(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    logo, dark = "https://harbournotes.example/a.png", "https://harbournotes.example/b.png"
    config = make_config(theme={"masthead": "image", "logo": logo, "logo_dark": dark})
    html = render_issue(make_issue(), load_templates(ROOT / "templates"), config).html
    assert f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">' in html
    assert re.findall(rf'<img src="{logo}" alt="(.*?)" width="(.*?)"', html) == [
        ("Harbour Notes", "620")
    ]
    assert "accent-rule" not in re.sub("<style.*?</style>", "", html, flags=re.DOTALL)


def test_accent_rule_has_the_accent_of_both_schemes(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    theme = {"accent_rule": True, "light": {"accent": "#aa0011"}, "dark": {"accent": "#ffaabb"}}
    config = make_config(theme=theme)
    html = render_issue(make_issue(), load_templates(ROOT / "templates"), config).html
    assert re.search(r'class="accent-rule".*?border-top:solid 4px #aa0011', html, re.DOTALL)
    assert ".accent-rule td { border-color: #ffaabb !important; }" in html


def test_dark_logo_is_shown_in_dark_mode_only(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    logo, dark = "https://harbournotes.example/a.png", "https://harbournotes.example/b.png"
    templates = load_templates(ROOT / "templates")
    both = render_issue(
        make_issue(), templates, make_config(theme={"logo": logo, "logo_dark": dark})
    ).html
    assert f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">' in both
    assert both.count(f'src="{logo}"') == 1
    one = render_issue(make_issue(), templates, make_config(theme={"logo": logo})).html
    assert "<source" not in one
    assert one.count(f'src="{logo}"') == 1


def test_button_comes_before_the_footnotes_in_both_parts(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    notes = '<div class="footnotes"><ol><li id="n">By an hour.</li></ol></div>'
    issue = make_issue(
        '<p>Late.<a href="#n">1</a></p>' + notes,
        button=CallToAction("Q & <A>", "https://a.example/?b=1&c=2"),
    )
    email = render_issue(issue, load_templates(ROOT / "templates"), make_config())
    assert 0 < email.html.index("Q &amp; &lt;A&gt;") < email.html.index("By an hour.")
    parts = ("Late.[a]\n", "\nQ & <A>: https://a.example/?b=1&c=2\n", "\n[a] By an hour.\n")
    positions = [email.text.index(part) for part in parts]
    assert positions == sorted(positions)
