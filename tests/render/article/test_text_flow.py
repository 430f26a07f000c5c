"""Line ends between CJK characters, and the direction of code."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.posts.issue import Issue
from newsletter.render.article.build import build_article


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>潮が\n引く</p>", "<p>潮が引く</p>"),
        ("<p>潮が、\n\t引く。\n次</p>", "<p>潮が、引く。次</p>"),
        ("<p>潮が\n<b>引く</b>\n時</p>", "<p>潮が<b>引く</b>時</p>"),
        ("<p><i>潮\n</i>引</p>", "<p><i>潮</i>引</p>"),
        ("<p>潮\ntide</p>", "<p>潮\ntide</p>"),
        ("<p>tide\n潮</p>", "<p>tide\n潮</p>"),
        ("<p>조수가\n빠진다</p>", "<p>조수가\n빠진다</p>"),
        ("<p>潮 引</p>", "<p>潮 引</p>"),
        ("<pre>潮\n引</pre>", "<pre>潮\n引</pre>"),
        ("<p>潮<br>\n引</p>", "<p>潮<br>\n引</p>"),
        ("<p>潮</p>\n<p>引</p>", "<p>潮</p>\n<p>引</p>"),
    ],
)
def test_line_end_between_cjk_characters_is_no_space(
    body: str, expected: str, make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    assert build_article(make_issue(body), make_config()).html == expected


@pytest.mark.parametrize(
    ("language", "body", "expected"),
    [
        ("ar", "<p>\u062a <code>git -x</code></p>", '<code dir="ltr">'),
        ("he-IL", "<pre><code>a</code></pre>", '<pre dir="ltr"><code>'),
        ("ar", '<p><code dir="rtl">a</code></p>', '<code dir="rtl">'),
        ("ar", '<p dir="ltr"><code>a</code></p>', "<code>"),
        ("en", '<div dir="rtl"><p><code>a</code></p></div>', '<code dir="ltr">'),
        ("en", "<p><code>a</code></p>", "<code>"),
    ],
)
def test_code_in_right_to_left_text_has_its_own_direction(
    language: str,
    body: str,
    expected: str,
    make_issue: Callable[..., Issue],
    make_config: Callable[..., Config],
) -> None:
    issue = make_issue(body, post={"language": language})
    assert expected in build_article(issue, make_config()).html
