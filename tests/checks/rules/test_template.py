from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rules.content import leftover_tag
from newsletter.checks.rules.template import foreign_merge_tag, outlook_width
from newsletter.render.template.loader import Templates

MakeContext = Callable[..., CheckContext]

TEMPLATE = """<mjml>
{% include "parts/foot.mjml" %}
<mj-image width="900px" src="boat.png" />
<mj-text>Moorings <b>for rent</b></mj-text>
"""
FOOT = "Hello *|FNAME|*\n\n<a>Ropes and\nlines</a> in %%name%%\n"


def with_templates(context: CheckContext, html: str) -> CheckContext:
    files = {"issue.mjml": TEMPLATE, "parts/foot.mjml": FOOT, "other.mjml": "*|LNAME|*"}
    email = context.email
    return replace(
        context,
        templates=Templates("templates", files),
        email=replace(email, html=email.html.replace("</body>", f"{html}</body>")),
    )


@pytest.mark.parametrize(
    ("width", "words", "place"),
    [
        (900, "Elsewhere", "templates/issue.mjml:3"),
        (700, "Moorings for rent", "templates/issue.mjml:4"),
        (700, "Moorings, cheap", "templates/issue.mjml:4"),
        (700, "Ropes and lines", "templates/parts/foot.mjml:3"),
        (700, "Elsewhere", "templates/issue.mjml"),
    ],
)
def test_what_is_too_wide_is_located_in_the_template(
    width: int, words: str, place: str, make_context: MakeContext
) -> None:
    (finding,) = outlook_width.find(
        with_templates(make_context(), f'<table width="{width}"><tr><td>{words}</td></tr></table>')
    )
    assert str(finding.where) == place


def test_a_merge_tag_of_another_service_in_a_template_is_one_finding(
    make_context: MakeContext,
) -> None:
    context = with_templates(make_context(), "<p>Hello *|FNAME|* in %%name%%</p>")
    assert [str(finding.where) for finding in foreign_merge_tag.find(context)] == [
        "templates/parts/foot.mjml:1",
        "templates/parts/foot.mjml:4",
    ]
    assert leftover_tag.find(context) == []


def test_a_merge_tag_of_another_service_in_the_post_is_one_too(make_context: MakeContext) -> None:
    context = with_templates(make_context("A boat.\n\nHello %%name%%, %%town%%."), "")
    assert [finding.excerpt for finding in leftover_tag.find(context)] == [
        "%%name%%",
        "%%town%%",
    ]
