"""Template + context -> HTML: the part of the chain that issues and letters share. Pure."""

import re
from collections.abc import Mapping

from newsletter.errors import TemplateError
from newsletter.render.css.inline import inline
from newsletter.render.mjml.compile import Locate, compile_mjml
from newsletter.render.personalization import retarget
from newsletter.render.template.jinja_env import Context, exported, fill, locator
from newsletter.render.template.loader import Templates

# Where a designer keeps the labels, by language; the text part speaks with them too.
WORDS = "partials/words.mjml"

_URL_ATTRIBUTE = re.compile(r"""\b(?:href|src|background-url)\s*=\s*(?:"[^"]*"|'[^']*')""")
_IMPORT = re.compile(r"/\*.*?\*/|(?P<rule>@import\b)", re.DOTALL | re.IGNORECASE)


def compiled(name: str, templates: Templates, context: Context) -> str:
    """Fill a template and make HTML of it: the article not yet spliced in, no styles inlined.

    Raises:
        TemplateError: all that one pass finds, each with file and line.
    """

    def locate() -> Locate:
        return locator(templates, name, context)

    mjml = _URL_ATTRIBUTE.sub(
        lambda found: retarget(found[0], "html", "url"), fill(templates, name, context)
    )
    return compile_mjml(mjml, locate, articles=int("article" in context))


def styled(html: str, name: str, templates: Templates, context: Context) -> str:
    """Inline the rules that go with a template.

    Raises:
        TemplateError: the rules are wrong.
        RenderError: the document can't become mail.
    """
    return inline(html, _css(name, templates, context))


def words_of(templates: Templates, context: Context) -> dict[str, str]:
    """The labels that the templates set for the context's language."""
    words = exported(templates, WORDS, "words", context)
    if not isinstance(words, Mapping):
        return {}
    return {str(key): word for key, word in words.items() if isinstance(word, str)}


def _css(name: str, templates: Templates, context: Context) -> str:
    """The rules to inline: the template's own file, else the common one."""
    own = name.removesuffix(".mjml") + ".css"
    file = own if own in templates.files else "article.css"
    if file not in templates.files:
        return ""
    css = fill(templates, file, context)
    for found in _IMPORT.finditer(css):
        if found["rule"]:
            offset = len(css[: found.start("rule")].encode())
            raise TemplateError(
                "@import fetches nothing here",
                where=locator(templates, file, context)(offset),
                remedy="Copy the rules into this file.",
            )
    return css
