"""Callouts: a glyph before each title, the kind said once, in the issue's language."""

import re
from pathlib import Path

import pytest

from newsletter.checks.analysis.color import contrast_ratio, parse_color
from newsletter.config.theme import Theme
from newsletter.posts.html.callouts import CALLOUT_KINDS
from newsletter.render.article.callouts import mark_callouts
from newsletter.render.article.dom import parse_fragment, serialize_fragment
from newsletter.render.template.jinja_env import get_template_variable
from newsletter.render.template.loader import load_templates
from newsletter.render.text.article import render_article_text
from newsletter.render.words import load_shipped_words

TEMPLATES = Path(__file__).parents[3] / "templates"
HIDDEN = '<span class="callout-glyph" aria-hidden="true">'
NAMED = '<span class="callout-glyph" role="img" aria-label="{}">'


def mark(kind: str, title: str, lang: str = "en") -> str:
    root = parse_fragment(f'<div class="callout callout-{kind}">{title}<p>Mind the sill.</p></div>')
    mark_callouts(root, load_shipped_words(lang, "article"))
    return serialize_fragment(root)


@pytest.mark.parametrize(
    ("kind", "title", "lang", "expected", "text"),
    [
        ("note", "Note", "en", f"{HIDDEN}●</span>\xa0Note", "| NOTE: Mind the sill."),
        ("tip", "Tip", "de-AT", f"{HIDDEN}★</span>\xa0Tipp", "| TIPP: Mind the sill."),
        ("important", "Important", "no", f"{HIDDEN}◆</span>\xa0Viktig", "| VIKTIG: Mind the sill."),
        ("warning", "Warning", "zh-TW", f"{HIDDEN}▲</span>\xa0警告", "| 警告: Mind the sill."),
        ("caution", "Caution", "zh-Hant-HK", f"{HIDDEN}■</span>\xa0小心", "| 小心: Mind the sill."),
        ("caution", "Caution", "eo", f"{HIDDEN}■</span>\xa0Caution", "| CAUTION: Mind the sill."),
        ("note", "<b>note</b>", "en", f"{HIDDEN}●</span>\xa0Note", "| NOTE: Mind the sill."),
        (
            "warning",
            "Low <em>water</em>",
            "nb",
            f"{NAMED.format('Advarsel')}▲</span>\xa0Low <em>water</em>",
            "| ADVARSEL: Low _water_\n|\n| Mind the sill.",
        ),
    ],
)
def test_title_has_a_glyph_and_one_name(
    kind: str, title: str, lang: str, expected: str, text: str
) -> None:
    html = mark(kind, f'<p class="callout-title">{title}</p>', lang)
    assert f'<p class="callout-title">{expected}</p>' in html
    assert render_article_text(html).strip() == text


def test_callout_without_a_title_gets_its_kind() -> None:
    assert f'<p class="callout-title">{HIDDEN}■</span>\xa0Caution</p><p>Mind' in mark("caution", "")


@pytest.mark.parametrize("kind", ["", "danger"])
def test_unknown_kind_stays_as_it_is(kind: str) -> None:
    html = mark(kind, '<p class="callout-title">Beware</p>')
    assert "callout-glyph" not in html
    assert render_article_text(html).strip() == "| Beware\n|\n| Mind the sill."


def load_callout_colors(theme: Theme) -> dict[str, tuple[str, str, str]]:
    colors: dict[str, tuple[str, str, str]] = get_template_variable(
        load_templates(TEMPLATES),
        "partials/callout_colors.mjml",
        "callout_colors",
        {"theme": theme},
    )
    return colors


def test_every_kind_has_colors_with_sufficient_contrast() -> None:
    theme = Theme()
    colors = load_callout_colors(theme)
    assert set(colors) == CALLOUT_KINDS
    for light, dark, _ in colors.values():
        for color, palette in ((light, theme.light), (dark, theme.dark)):
            text, ground = parse_color(color), parse_color(palette.code_ground)
            assert text is not None
            assert ground is not None
            assert contrast_ratio(text, ground) >= 4.5  # WCAG 2.2, 1.4.3
    assert len({light for light, _, _ in colors.values()}) == len(colors)
    assert len({dark for _, dark, _ in colors.values()}) == len(colors)


def test_archive_has_the_colors_and_edges_of_the_mail() -> None:
    css = (TEMPLATES / "web" / "archive.css").read_text()
    colors = load_callout_colors(Theme())
    del colors["note"]  # has the accent, in both
    found = dict.fromkeys(colors, ("", ""))
    for kind, color in re.findall(r"\.callout-(\w+) { --kind: (#\w+);", css):
        found[kind] = (*found[kind], color)[-2:]  # the dark scheme comes last
    assert found == {kind: (light, dark) for kind, (light, dark, _) in colors.items()}
    wide = set(re.findall(r"\.callout-(\w+) {[^}]*border-inline-start-width: 5px", css))
    assert wide == {kind for kind, (_, _, edge) in colors.items() if edge == "5px"}
    assert "color: var(--kind)" in css
