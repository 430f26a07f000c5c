"""The line for those to whom an email was forwarded: never personal."""

from collections.abc import Callable
from pathlib import Path

import pytest
from designs import DESIGNS

from newsletter.config.models import Config
from newsletter.posts.issue import Issue
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates

TEMPLATES = Path(__file__).parents[2] / "templates"
LINE = 'Forwarded this email? <a href="https://n.example/subscribe"'


@pytest.mark.parametrize("template", DESIGNS)
@pytest.mark.parametrize("public_url", ["https://n.example", None])
def test_footer_links_to_the_sign_up_page_if_there_is_one(
    template: str,
    public_url: str | None,
    make_issue: Callable[..., Issue],
    make_config: Callable[..., Config],
) -> None:
    config = make_config(public_url=public_url, theme={"template": template})
    email = render_issue(make_issue("<p>Fog.</p>"), load_templates(TEMPLATES), config)
    assert (LINE in email.html) is bool(public_url)
    line = "Forwarded this email? Subscribe: https://n.example/subscribe\n"
    assert (line in email.text) is bool(public_url)
