import datetime
import re
from dataclasses import replace
from pathlib import Path

import pytest
from designs import DESIGNS

from newsletter.checks.analysis.outlook_layout import expand_outlook_conditions, find_overflows
from newsletter.posts.read_issue import read_issue
from newsletter.project import open_project
from newsletter.project.folder import list_issue_folders
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates
from newsletter.render.transactional import TransactionalContent, render_transactional

ROOT = Path(__file__).parents[3]


def make_email(content: str, *, body_width: int = 600) -> str:
    return (
        f'<html><body><div style="margin:0;max-width:{body_width}px">{content}</div></body></html>'
    )


def make_cell(content: str, style: str = "", attributes: str = "") -> str:
    return f'<table><tr><td {attributes} style="{style}">{content}</td></tr></table>'


def for_outlook(content: str) -> str:
    return f"<!--[if mso | IE]>{content}<![endif]-->"


WIDE = '<table width="600"><tr><td>x</td></tr></table>'
FITTING = '<table style="width:560px"><tr><td>x</td></tr></table>'


@pytest.mark.parametrize(
    ("content", "widths"),
    [
        pytest.param(
            for_outlook(make_cell(WIDE, "padding:10px 20px 0px")), (600, 560), id="padding"
        ),
        pytest.param(make_cell(WIDE, "padding:0 0 0 20px"), (600, 580), id="left-only"),
        pytest.param(make_cell(WIDE, "padding:0;padding-right:5px"), (600, 595), id="one-side"),
        pytest.param(make_cell(WIDE, "padding:5%"), (600, 540), id="percent"),
        pytest.param(make_cell(WIDE, "border:3px solid red"), (600, 594), id="border"),
        pytest.param(make_cell(WIDE, "border-left:3px solid red"), (600, 597), id="one-border"),
        pytest.param(
            f'<table style="border:2px solid red"><tr><td>{WIDE}</td></tr></table>',
            (600, 596),
            id="table-border",
        ),
        pytest.param(
            f'<table cellpadding="9"><tr><td>{WIDE}</td></tr></table>', (600, 582), id="cellpadding"
        ),
        pytest.param(make_cell(WIDE, "width:300px"), (600, 300), id="narrow-cell"),
        pytest.param(make_cell(WIDE, "", 'width="300"'), (600, 300), id="narrow-cell-attribute"),
        pytest.param(make_cell("x", "width:700px"), (700, 600), id="wide-cell"),
        pytest.param(make_cell(WIDE, "width:50%"), (600, 300), id="half"),
        pytest.param(
            make_cell(f"<div><p>{WIDE}</p></div>", "padding:0 20px"), (600, 560), id="deep"
        ),
        pytest.param(
            make_cell('<img width="600" src="a">', "padding:0 20px"), (600, 560), id="image"
        ),
        pytest.param(
            make_cell('<img style="width:600px" width="10" src="a">', "padding:0 20px"),
            (600, 560),
            id="image-style",
        ),
        pytest.param('<table width="700"><tr><td>x</td></tr></table>', (700, 600), id="body"),
        pytest.param(
            for_outlook('<table width="700"><tr><td>') + "x" + for_outlook("</td></tr></table>"),
            (700, 600),
            id="body-outlook",
        ),
        pytest.param(
            '<table><tr><td style="width:310px">x</td><td width="310">y</td></tr></table>',
            (620, 600),
            id="row",
        ),
    ],
)
def test_what_is_wider_than_its_place_is_found_once(
    content: str, widths: tuple[float, float]
) -> None:
    (overflow,) = find_overflows(make_email(content))
    assert (overflow.width, overflow.available) == widths


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(make_cell(FITTING, "padding:10px 20px 0px"), id="fits"),
        pytest.param(make_cell(WIDE, "padding:10px 0"), id="no-sides"),
        pytest.param(make_cell(WIDE, "border:none;padding:0"), id="no-border"),
        pytest.param(
            make_cell(WIDE, "padding:20px;padding-left:0;padding-right:0"), id="taken-back"
        ),
        pytest.param(
            make_cell('<table width="100%"><tr><td>x</td></tr></table>', "padding:20px"),
            id="percent",
        ),
        pytest.param(
            make_cell('<table style="width:auto"><tr><td>x</td></tr></table>', "padding:9px"),
            id="auto",
        ),
        pytest.param(make_cell('<div style="width:700px">x</div>', "padding:9px"), id="div"),
        pytest.param(make_cell('<img width="20" src="a">', "width:20px;padding:8px"), id="icon"),
        pytest.param(make_cell('<img width="560" src="a">', "padding:0 20px"), id="image"),
        pytest.param('<table width="600.6"><tr><td>x</td></tr></table>', id="rounded"),
        pytest.param(
            '<table><tr><td width="300">x</td><td width="300">y</td></tr></table>', id="row"
        ),
        pytest.param(
            '<table><tr><td width="50%">x</td><td width="50%">y</td></tr></table>', id="halves"
        ),
        pytest.param(
            '<!--[if !mso]><!--><table width="900"></table><!--<![endif]-->', id="not-outlook"
        ),
        pytest.param(
            '<!--[if lte mso 11]><table width="900"></table><![endif]-->', id="old-outlook"
        ),
        pytest.param('<!-- <table width="900"></table> -->', id="comment"),
    ],
)
def test_what_fits_is_not_found(content: str) -> None:
    assert find_overflows(make_email(content)) == ()


def test_an_email_without_a_width_of_its_own_has_no_limit() -> None:
    assert find_overflows(f"<html><body>{WIDE}</body></html>") == ()
    assert find_overflows("<html></html>") == ()


def test_the_words_of_a_finding_are_the_nearest_ones() -> None:
    inner = '<table width="600"><tr><td><img src="a" alt="A boat at sea"></td></tr></table>'
    (overflow,) = find_overflows(make_email(make_cell(inner, "padding:9px")))
    assert overflow.words == "A boat at sea"
    (overflow,) = find_overflows(make_email(make_cell("<b>One</b> " + WIDE, "padding:9px")))
    assert overflow.words == "x"
    empty = '<table width="600"><tr><td></td></tr></table>'
    (overflow,) = find_overflows(make_email("<p>Before</p>" + make_cell(empty, "padding:9px")))
    assert overflow.words == "Before"


def test_no_shipped_design_has_anything_wider_than_its_place() -> None:
    project = open_project(ROOT)
    templates = load_templates(ROOT / "templates")
    issues = [read_issue(folder, project.config) for folder in list_issue_folders(project)]
    narrow = project.config.model_copy(
        update={"theme": project.config.theme.model_copy(update={"width": 480})}
    )
    documents = []
    for config in (project.config, narrow):
        for issue in issues:
            documents += [
                render_issue(replace(issue, template=design), templates, config).html
                for design in DESIGNS
            ]
        for kind in ("confirm", "move_from", "move_to"):
            content = TransactionalContent(
                kind, "https://a.example", datetime.date(2026, 12, 1), "a@b"
            )
            documents.append(render_transactional(content, templates, config).html)
    for document in documents:
        assert find_overflows(document) == ()
    # They do have widths to check.
    assert re.search(r"\[if mso \| IE\]><td style=\"[^\"]*width:556px", documents[0])


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("mso | IE", True),
        ("mso", True),
        ("gte mso 9", True),
        ("mso 16", True),
        ("lte mso 11", False),
        ("!mso", False),
        ("!(mso)", False),
        ("IE", False),
        ("(gte mso 9)|(IE)", True),
    ],
)
def test_conditions_are_those_of_outlook_2016(condition: str, *, shown: bool) -> None:
    assert ("x" in expand_outlook_conditions(f"<!--[if {condition}]>x<![endif]-->")) is shown
