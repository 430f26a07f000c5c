"""Jinja fills a template; a mistake is told with the file and line that a designer sees."""

import difflib
import html.entities
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.filters import do_default
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from newsletter.errors import Location, NewsletterError, TemplateError
from newsletter.render.template.context import MergeValue, names_of
from newsletter.render.template.loader import Templates

Context = Mapping[str, Any]

# Whatever a template's own expressions can raise.
_FAILURES = (
    jinja2.TemplateError, NewsletterError, TypeError, ValueError, ArithmeticError, LookupError,
    AttributeError, RecursionError,
)  # fmt: skip
_MARK = re.compile("\ufdd2(?P<file>[^\ufdd3]*):(?P<line>\\d+)\ufdd3")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
_XML_ENTITIES = {"amp;", "lt;", "gt;", "quot;", "apos;"}


def fill(templates: Templates, name: str, context: Context) -> str:
    """Fill one template; HTML's named entities become characters that XML knows.

    Args:
        templates: the folder.
        name: which of its files, ``"issue.mjml"``.
        context: what it can name.

    Raises:
        TemplateError: at the file and line of the mistake, in whichever file that is.
    """
    return _numeric(_render(_environment(templates), templates, name, context))


def exported(templates: Templates, name: str, variable: str, context: Context) -> Any:
    """What a template ``{% set %}``s at its top level; ``None`` if there is no such thing.

    Raises:
        TemplateError: as in ``fill``.
    """
    if name not in templates.files:
        return None
    environment = _environment(templates)
    try:
        try:
            module = environment.get_template(name).make_module(dict(context))
        except _FAILURES:
            environment.handle_exception()  # render() does so itself: lines of the template
    except _FAILURES as error:
        _explain(error, templates, name, context)
    return getattr(module, variable, None)


def locator(templates: Templates, name: str, context: Context) -> Callable[[int], Location]:
    """Tell where in the templates a byte of ``fill``'s result comes from.

    Fills the template once more, this time with a mark wherever a line of a template begins; so
    that the hot path carries none. Call it only when there is something to complain about.
    """
    marked = _numeric(_render(_environment(templates, marked=True), templates, name, context))
    starts, places = [0], [(name, 1)]
    size = at = 0
    for found in _MARK.finditer(marked):
        size += len(marked[at : found.start()].encode())
        at = found.end()
        starts.append(size)
        places.append((found["file"], int(found["line"])))

    def place(offset: int) -> Location:
        return templates.place(*places[bisect_right(starts, offset) - 1])

    return place


class _Marks(Extension):
    """Puts a mark at the start of every line of a template's own text."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            yield self._marked(token, stream.name) if token.type == "data" else token

    @staticmethod
    def _marked(token: Token, name: str | None) -> Token:
        lines = str(token.value).split("\n")
        text = "\n".join(
            f"\ufdd2{name}:{token.lineno + index}\ufdd3{line}" for index, line in enumerate(lines)
        )
        return Token(token.lineno, token.type, text)

    def parse(self, parser: Any) -> nodes.Node:  # pragma: no cover - has no tags
        raise NotImplementedError


class _Missing(jinja2.StrictUndefined):
    """A name that is not there; says which is meant, perhaps."""

    @property
    def _undefined_message(self) -> str:
        name, owner = self._undefined_name, self._undefined_obj
        if self._undefined_hint or not isinstance(name, str):
            return super()._undefined_message
        if owner is missing:
            return f"there is no '{name}' for templates"
        if owner is None:
            return f"nothing is there to have a '{name}'; ask first with {{% if … %}}"
        known = names_of(owner)
        return f"there is no '.{name}' here{_nearest(name, known)}"


@lru_cache(maxsize=8)
def _environment(templates: Templates, *, marked: bool = False) -> ImmutableSandboxedEnvironment:
    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        text = templates.files.get(name)
        return None if text is None else (text, name, lambda: True)

    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        autoescape=lambda name: not (name or "").endswith(".css"),
        undefined=_Missing,
        extensions=[_Marks] if marked else [],
        cache_size=-1,
    )
    environment.filters["default"] = environment.filters["d"] = _default
    return environment


def _default(value: Any, words: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - Jinja's own signature
    if isinstance(value, MergeValue):
        return value.or_else(str(words))
    return do_default(value, words, boolean)


def _render(
    environment: ImmutableSandboxedEnvironment, templates: Templates, name: str, context: Context
) -> str:
    try:
        return environment.get_template(name).render(context)
    except _FAILURES as error:
        _explain(error, templates, name, context)


def _explain(error: Exception, templates: Templates, name: str, context: Context) -> NoReturn:
    if isinstance(error, jinja2.TemplateSyntaxError):
        where = templates.place(error.name or name, error.lineno)
    else:
        where = templates.place(*_innermost(error.__traceback__, templates, name))
    if isinstance(error, NewsletterError):
        first = error.problems[0]
        raise TemplateError(first.message, where=where, remedy=first.remedy) from error
    raise TemplateError(_message(error, templates, context), where=where) from error


def _message(error: Exception, templates: Templates, context: Context) -> str:
    if isinstance(error, jinja2.TemplatesNotFound | jinja2.TemplateNotFound):
        near = _nearest(str(error.name), list(templates.files))
        return f"there is no template '{error.name}'{near}"
    if isinstance(error, RecursionError):
        return "templates include one another without end"
    message = (getattr(error, "message", None) or str(error)).rstrip(".")
    if found := re.fullmatch(r"there is no '(.+)' for templates", message):
        return message + _nearest(found[1], list(context))
    return message


def _innermost(
    trace: TracebackType | None, templates: Templates, name: str
) -> tuple[str, int | None]:
    """The deepest frame that is a template's: Jinja makes tracebacks tell its lines."""
    place: tuple[str, int | None] = (name, None)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in templates.files:
            place = (file, trace.tb_lineno)
        trace = trace.tb_next
    return place


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f". Did you mean '{near[0]}'?" if near else ""


def _numeric(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        if found[1] in _XML_ENTITIES or found[1] not in html.entities.html5:
            return found[0]
        return "".join(f"&#{ord(char)};" for char in html.entities.html5[found[1]])

    return _ENTITY.sub(character, text)
