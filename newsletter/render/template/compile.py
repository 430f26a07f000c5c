"""Compile a template to HTML and inline its CSS.

Issues and transactional emails share this part of the chain. Pure.
"""

import re
from collections.abc import Mapping
from typing import Literal

from newsletter.errors import TemplateError
from newsletter.render.css.inline import inline_css
from newsletter.render.mjml.compile import CompiledMjml, Locator, compile_mjml
from newsletter.render.personalization import convert_tokens
from newsletter.render.template.jinja_env import (
    TemplateContext,
    get_template_variable,
    make_locator,
    render_template,
)
from newsletter.render.template.loader import Templates
from newsletter.render.words import load_words

# Where templates of version 0.1 have their words, with %s for what is filled in.
_OLD_WORDS_FILES = {"issue": "partials/words.mjml", "email": "partials/letter_words.mjml"}
_URL_ATTRIBUTE = re.compile(r"""(?:href|src|background-url)\s*=\s*(?:"[^"]*"|'[^']*')""")
_IMPORT = re.compile(r"/\*.*?\*/|(?P<rule>@import\b)", re.DOTALL | re.IGNORECASE)


def compile_template(name: str, templates: Templates, context: TemplateContext) -> CompiledMjml:
    """Return a template compiled, without the article and without inlined styles.

    Raises:
        TemplateError: all problems of one pass, each with file and line.
    """

    def locate() -> Locator:
        return make_locator(templates, name, context)

    mjml = _URL_ATTRIBUTE.sub(
        lambda found: convert_tokens(found[0], "html", "url"),
        render_template(templates, name, context),
    )
    return compile_mjml(mjml, locate, article_count=int("article" in context))


def inline_styles(
    compiled: CompiledMjml, name: str, templates: Templates, context: TemplateContext
) -> str:
    """Return the document with the template's CSS inlined.

    Raises:
        TemplateError: the CSS is wrong.
        RenderError: the document can't be inlined.
    """
    css = _load_css(name, templates, context)
    if compiled.inline_css:  # last, since it is nearer to the document than a file beside it
        css = f"{css}\n{compiled.inline_css}"
    return inline_css(compiled.html, css, compiled.html_attributes)


def load_template_words(
    templates: Templates, context: TemplateContext, group: Literal["issue", "email"]
) -> dict[str, str]:
    """Return ``words`` for a template, in the context's language; the text part uses them too.

    Raises:
        TemplateError: the project's own words are wrong.
    """
    words = load_words(templates.own_words, context["lang"], group)
    old = get_template_variable(templates, _OLD_WORDS_FILES[group], "words", context)
    if isinstance(old, Mapping):
        for key, text in old.items():
            if isinstance(text, str):
                placeholder = "{date}" if key == "until" else "{name}"
                words[str(key)] = text.replace("%s", placeholder) if group == "email" else text
    return words


def _load_css(name: str, templates: Templates, context: TemplateContext) -> str:
    """Return the CSS to inline: the template's own file, else ``article.css``."""
    own_file = name.removesuffix(".mjml") + ".css"
    file = own_file if own_file in templates.files else "article.css"
    if file not in templates.files:
        return ""
    css = render_template(templates, file, context)
    for found in _IMPORT.finditer(css):
        if found["rule"]:
            offset = len(css[: found.start("rule")].encode())
            raise TemplateError(
                "@import is not supported",
                where=make_locator(templates, file, context)(offset),
                remedy="Copy the rules into this file.",
            )
    return css
