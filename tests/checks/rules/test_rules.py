"""Every rule finds the mistake in its bad email, and nothing in good emails."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from newsletter.checks.analysis.article_similarity import EarlierEmail
from newsletter.checks.check_context import CheckContext
from newsletter.checks.load_context import load_check_context
from newsletter.checks.registry import RULES
from newsletter.checks.runner import run_rules
from newsletter.project import Project, open_project
from newsletter.project.folder import list_issue_folders
from newsletter.render.issue_folder import render_issue_folder
from newsletter.render.template.loader import Templates

ROOT = Path(__file__).parents[3]
MakeContext = Callable[..., CheckContext]


def in_html(old: str, new: str) -> Callable[[CheckContext], CheckContext]:
    def alter(context: CheckContext) -> CheckContext:
        assert old in context.email.html, context.email.html[:600]
        return replace(
            context, email=replace(context.email, html=context.email.html.replace(old, new))
        )

    return alter


def in_text(text: str) -> Callable[[CheckContext], CheckContext]:
    return lambda context: replace(context, email=replace(context.email, text=text))


def with_template(text: str) -> Callable[[CheckContext], CheckContext]:
    return lambda context: replace(context, templates=Templates("templates", {"issue.mjml": text}))


def prose(words: int) -> str:
    return ("The tide goes out and comes back in. " * (words // 8 + 1)).strip()


@dataclass(frozen=True)
class Bad:
    """An email in which a rule has a finding.

    Attributes:
        line: the line of the source; the front matter has 5, the body begins on line 6.
        message: a part of the message.
    """

    body: str | None = None
    front: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    alter: Callable[[CheckContext], CheckContext] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    message: str = ""


def earlier_email(issue: str, text: str) -> EarlierEmail:
    return EarlierEmail(1, issue, datetime.datetime(2026, 11, 15, tzinfo=datetime.UTC), text)


PARAGRAPH = f"{prose(40)}\n\n"
DARK = {"theme": {"dark": {"text": "#333333"}}}
LIGHT = {"theme": {"light": {"muted": "#bbbbbb"}}}
TABLES = "<table role='presentation'><tr><td>" * 12 + "deep" + "</td></tr></table>" * 12

BAD: Mapping[str, Bad] = {
    "no-subject": Bad(front={"subject": '{{ subscriber.name | default("") }}'}, line=3),
    "long-subject": Bad(front={"subject": "The boats " * 9}, line=3, message="an iPhone"),
    "long-merge-value": Bad(
        front={"subject": "{{ subscriber.name }}, the boats"},
        more={"longest_values": {"name": "x" * 200}}, line=3, message="211 characters",
    ),
    "shouting-subject": Bad(front={"subject": "THE BOATS ARE BACK"}, line=3),
    "emoji-subject": Bad(front={"subject": "⛵️🌊"}, line=3),
    "repeated-subject": Bad(
        more={"earlier_subjects": {"2026-11-15-ice": "The boats are back!"}},
        line=3, message="2026-11-15-ice"
    ),
    "no-preheader": Bad(front={"preheader": ""}, line=1),
    "long-preheader": Bad(front={"preheader": "And so is the fog. " * 9}, line=4),
    "preheader-repeats": Bad(front={"preheader": "The boats are back."}, line=4),
    "repeated-article": Bad(
        PARAGRAPH, more={"earlier_emails": (earlier_email("2026-11-15-ice", PARAGRAPH),)},
        message="100% of the article is in 2026-11-15-ice of 15 Nov 2026",
    ),
    "leftover-tag": Bad(PARAGRAPH + "Dear *|FNAME|*, hello.", line=8, message="|FNAME|"),
    "placeholder-text": Bad(PARAGRAPH + "Lorem ipsum dolor.", line=8),
    "no-introduction": Bad(
        "", front={"digest": [{"title": "Knots", "url": "https://a.example/knots"}]}, line=5
    ),
    "sample-link": Bad(PARAGRAPH + "[Boats](https://your-domain.com/boats)", line=8),
    "unbalanced-quotes": Bad(PARAGRAPH + "He said: “the rope is wet.", line=8, message="the rope"),
    "misspelt-name": Bad(PARAGRAPH + "You read Harbor Notes every week.", line=8),
    "long-read": Bad(prose(5_000)),
    "blog-furniture": Bad(PARAGRAPH + "Leave a Reply", line=8, message="comment form"),
    "page-leftover": Bad(PARAGRAPH + "Tags: boats, ice", line=8),
    "foreign-markup": Bad(
        PARAGRAPH + "[gallery ids='1,2']", line=8, message="a shortcode is in the text: [gallery"
    ),
    "foreign-script": Bad(PARAGRAPH + "Watch it قناة here", line=8, message="Arabic"),
    "injected-term": Bad(PARAGRAPH + "Best online casino bonus", line=8, message="gambling"),
    "reader-comment": Bad(
        f"{PARAGRAPH}2 comments\n\nBo says:\n\nSo true.\n\nReply", line=10, message="comment"
    ),
    "unsourced-claim": Bad(
        PARAGRAPH + "A recent study found that gulls sleep 40% less in spring.", line=8,
        message="'A recent study … 40%'",
    ),
    "unsourced-quote": Bad(
        PARAGRAPH + "As the writer Ada Berg puts it, “the sea is never late.”", line=8,
        message="Ada Berg",
    ),
    "empty-link": Bad(PARAGRAPH + "[The table](#) is here.", line=8),
    "broken-url": Bad(PARAGRAPH + "[The table](www.tides.example) is here.", line=8),
    "relative-link": Bad(PARAGRAPH + "[The table](tables.html) is here.", line=8),
    "insecure-link": Bad(PARAGRAPH + "[The table](http://kartverket.example/a) is here.", line=8),
    "private-link": Bad(PARAGRAPH + "[The table](http://192.168.1.4/a) is here.", line=8),
    "private-address": Bad(PARAGRAPH + "The router is at http://192.168.1.4/a.", line=8),
    "staging-link": Bad(PARAGRAPH + "[The table](https://staging.tides.example/a)", line=8),
    "bad-address": Bad(PARAGRAPH + "[Write](mailto:ingrid.at.home) to me.", line=8),
    "lost-content": Bad(PARAGRAPH + "<!-- Never closed, and so never seen.", line=8),
    "lost-words": Bad(
        prose(300) + " Gulls rest.", alter=in_html("Gulls rest", "Gulls"), line=6,
        message="a word is not in the email: 'rest'",
    ),
    "missing-anchor": Bad(PARAGRAPH + "See [the end](#the-end).", line=8),
    "shortened-link": Bad(PARAGRAPH + "[The table](https://bit.ly/3abc)", line=8),
    "mismatched-link": Bad(
        PARAGRAPH + "[www.mybank.example](https://evil.example.net/login)", line=8,
        message="evil.example.net",
    ),
    "doubled-parameter": Bad(
        PARAGRAPH + "[Boats](https://boats.example/?utm_source=a&utm_source=b)", line=8
    ),
    "no-alt": Bad(PARAGRAPH + "![](boat.png)", files={"boat.png": (600, 400)}, line=8),
    "file-name-alt": Bad(
        PARAGRAPH + "![IMG_2041.png](boat.png)", files={"boat.png": (600, 400)}, line=8
    ),
    "no-image-size": Bad(PARAGRAPH + "![A boat](https://boats.example/boat.png)", line=8),
    "unreachable-image": Bad(
        PARAGRAPH + "![A boat](boat.png)", files={"boat.png": (600, 400)}, line=8,
        message="boat.png has no public address",
    ),
    "unsafe-svg": Bad(
        PARAGRAPH + "![A boat](boat.svg)", files={"boat.svg": (600, 400)}, line=8,
        message="boat.svg is not published",
    ),
    "image-on-this-machine": Bad(
        PARAGRAPH + "![A boat](boat.png)", files={"boat.png": (600, 400)},
        settings={"image_url": "http://127.0.0.1:8000/{slug}/{file}"},
        message="image_url is http://127.0.0.1:8000/",
    ),
    "dark-image-size": Bad(
        PARAGRAPH + "![A boat](boat.png)", line=8,
        files={"boat.png": (600, 400, 0), "boat.dark.png": (600, 300, 0)},
        message="boat.dark.png has 600 by 300 pixels, boat.png 600 by 400",
    ),
    "heavy-image": Bad(
        PARAGRAPH + "![A boat](boat.png)", files={"boat.png": (600, 400, 700_000)}, line=8,
        message="700 KB",
    ),
    "oversized-image": Bad(
        PARAGRAPH + "![A boat](boat.png)", files={"boat.png": (4000, 3000)}, line=8, message="4000"
    ),
    "unsupported-image": Bad(
        PARAGRAPH + '<img src="https://boats.example/boat.webp" alt="A boat" width="9" height="9">',
        line=8, message="Outlook",
    ),
    "all-image": Bad("![A boat at the quay](boat.png)", files={"boat.png": (600, 400)}),
    "few-words": Bad(
        PARAGRAPH + "![A boat](boat.png)\n\n![The same](ship.png)",
        files={"boat.png": (600, 400), "ship.png": (600, 400)},
    ),
    "clipped": Bad(prose(25_000), message="102 KB"),
    "nearly-clipped": Bad(alter=in_html("</body>", f"<p>{'x' * 82_000}</p></body>")),
    "long-line": Bad(
        alter=lambda context: in_text(f"{context.email.text}\n{'x' * 1_000}")(context),
        message="1,000 bytes",
    ),
    "deep-nesting": Bad(alter=in_html("</body>", f"{TABLES}</body>"), message="tables"),
    "unclosed-block": Bad(PARAGRAPH + "::: reply\n\nAsk.", line=8, message="'::: reply' is never"),
    "odd-character": Bad(PARAGRAPH + "The ice \ue000 let go.", line=8, message="U+E000"),
    "wrong-encoding": Bad(PARAGRAPH + "Itâ€™s a fine day.", line=8),
    "client-breaks": Bad(
        PARAGRAPH + '<p style="display: flex">Two boats</p>',
        alter=in_html("</body>", '<p style="display:flex">Two boats</p></body>'),
        line=8, message="Outlook for Windows (8% of readers): boxes are stacked",
    ),
    "client-differs": Bad(
        alter=in_html("</body>", '<p style="z-index:2">Two boats</p></body>'), message="z-index"
    ),
    "no-language": Bad(alter=in_html('<html lang="en"', "<html")),
    "wrong-direction": Bad(alter=in_html('dir="ltr"', 'dir="rtl"'), message="en is ltr"),
    "no-title": Bad(alter=in_html("<title>Spring in the harbour</title>", "<title></title>")),
    "heading-order": Bad(
        PARAGRAPH + "## The quay\n\nIt is wet.", alter=in_html("h2", "h4"), line=8,
        message="h4 after h1",
    ),
    "one-h1": Bad(alter=in_html("</body>", "<h1>Another</h1></body>"), message="Another"),
    "weak-link-text": Bad(PARAGRAPH + "[Click here](https://boats.example/a)", line=8),
    "silent-link": Bad(
        PARAGRAPH + "[![](boat.png)](https://boats.example/a)", files={"boat.png": (600, 400)},
        line=8,
    ),
    "table-role": Bad(PARAGRAPH + "<table><tr><td>High</td><td>07:10</td></tr></table>", line=8),
    "small-text": Bad(
        PARAGRAPH + "Small print.",
        alter=in_html("Small print.", '<span style="font-size:9px">Small print.</span>'),
        line=8, message="9 px",
    ),
    "small-target": Bad(
        alter=in_html(
            "</body>",
            '<a href="https://boats.example/a" style="display:inline-block;font-size:12px;'
            'line-height:1;padding:2px 9px">Buy a boat</a></body>',
        ),
        message="16 px",
    ),
    "low-contrast": Bad(PARAGRAPH + '<p style="color:#cccccc">Hardly there.</p>', line=8),
    "low-contrast-theme": Bad(settings=LIGHT, message="muted on surface"),
    "low-contrast-dark": Bad(settings=DARK, message="text on surface"),
    "draft": Bad(front={"draft": True}, line=5, message="this issue is a draft: it can't be sent"),
    "unknown-topic": Bad(
        front={"topic": "weekyl"}, settings={"preferences": {"topics": {"weekly": "Every week"}}},
        line=5, message="newsletter.yml has no topic 'weekyl'; did you mean 'weekly'?",
    ),
    "no-unsubscribe-link": Bad(alter=in_text("No link."), message="text part"),
    "insecure-unsubscribe": Bad(settings={"public_url": "http://localhost:8000"}),
    "no-postal-address": Bad(settings={"postal_address": None}),
    "postal-address-left-out": Bad(alter=in_html("Strandgaten", "")),
    "free-sender": Bad(settings={"sender": {"name": "Ingrid", "address": "ingrid@gmail.com"}}),
    "sender-elsewhere": Bad(
        settings={"sender": {"name": "Ingrid", "address": "ingrid@elsewhere.example"}}
    ),
    "text-part-differs": Bad(alter=in_text("Something else. -nlunsubscribeu-")),
    "blocked-words": Bad(front={"subject": "Act now: boats"}, line=3, message="Act now"),
    "outlook-width": Bad(
        alter=in_html("</body>", '<table width="900"><tr><td>So wide</td></tr></table></body>'),
        message="an <table> is 900 px wide in a place of 620 px, where it says 'So wide …'",
    ),
    "foreign-merge-tag": Bad(
        alter=with_template("<p>\n{# [[name]] #}<!-- *|FNAME|* -->\nHi [[name]]</p>"), line=3,
        message="[[name]] is a merge tag of another service. Did you mean {{ subscriber.name }}?",
    ),
    "ignored-attribute": Bad(
        alter=with_template(
            '<mj-text title="x">\n<mj-button href="#"\n title="Row">x</mj-button><mj-image src="a">'
        ),
        line=3, message="title of <mj-button> has no effect here",
    ),
    "bad-allow": Bad(
        front={"allow": {"no-preheeder": "it is short"}}, line=5, message="no-preheader"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def samples(templates: Templates) -> list[CheckContext]:
    project: Project = open_project(ROOT)
    return [
        load_check_context(project, render_issue_folder(project, folder, templates))
        for folder in list_issue_folders(project)
    ]


def test_every_rule_has_a_bad_email() -> None:
    assert {rule.id for rule in RULES} == set(BAD)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_finds_its_bad_email_and_nothing_in_good_ones(
    rule: Any,
    make_context: MakeContext,
    make_png: Callable[..., bytes],
    samples: list[CheckContext],
) -> None:
    bad = BAD[rule.id]
    arguments: dict[str, Any] = {} if bad.body is None else {"body": bad.body}
    files = {name: make_png(*size) for name, size in bad.files.items()}
    context = make_context(
        **arguments, front=bad.front, settings=bad.settings, files=files, **bad.more
    )
    found = rule.find(bad.alter(context) if bad.alter else context)
    assert found, rule.id
    assert found[0].rule == rule.id
    assert bad.message in found[0].message
    assert bad.line is None or (found[0].where and found[0].where.line == bad.line)
    for good in (make_context(), *samples):
        assert rule.find(good) == []


def test_good_email_has_no_findings(make_context: MakeContext) -> None:
    assert run_rules(make_context()) == []


def test_email_without_a_server_of_its_own_has_no_findings(make_context: MakeContext) -> None:
    context = make_context(settings={"sendgrid": {"asm_group": 12345}})
    assert run_rules(context) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_documentation_consists_of_sentences(rule: Any) -> None:
    for text in (rule.summary, rule.meaning, rule.remedy):
        assert text[0].isupper() or text[0] in "'“`"
        assert text[-1] in ".…}"
