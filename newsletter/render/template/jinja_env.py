"""Render a template with Jinja; report mistakes with file and line."""

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
from newsletter.render.template.context import MergeValue, list_template_names
from newsletter.render.template.foreign_tags import find_foreign_tags, suggest_expression
from newsletter.render.template.loader import Templates

TemplateContext = Mapping[str, Any]

# The errors that a template's own expressions can raise.
_RENDER_ERRORS = (
    jinja2.TemplateError, NewsletterError, TypeError, ValueError, ArithmeticError, LookupError,
    AttributeError, RecursionError, MemoryError,
)  # fmt: skip
_LINE_MARK = re.compile("\ufdd2(?P<file>[^\ufdd3]*):(?P<line>\\d+)\ufdd3")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
_XML_ENTITIES = {"amp;", "lt;", "gt;", "quot;", "apos;"}


def render_template(templates: Templates, name: str, context: TemplateContext) -> str:
    """Return one template rendered; named HTML entities become XML character references.

    Args:
        templates: the templates folder.
        name: a file of it, such as ``"issue.mjml"``.
        context: the variables of the template.

    Raises:
        TemplateError: at the file and line of the mistake, in whichever file that is.
    """
    return _replace_named_entities(
        _render_in_environment(_get_environment(templates), templates, name, context)
    )


def get_template_variable(
    templates: Templates, name: str, variable: str, context: TemplateContext
) -> Any:
    """Return a variable that a template ``{% set %}``s at its top level; ``None`` if it doesn't.

    Raises:
        TemplateError: as in ``render_template``.
    """
    if name not in templates.files:
        return None
    environment = _get_environment(templates)
    try:
        try:
            module = environment.get_template(name).make_module(dict(context))
        except _RENDER_ERRORS:
            environment.handle_exception()  # template lines in the traceback, as in render()
    except _RENDER_ERRORS as error:
        _raise_template_error(error, templates, name, context)
    return getattr(module, variable, None)


def make_locator(
    templates: Templates, name: str, context: TemplateContext
) -> Callable[[int], Location]:
    """Return a function from a byte offset in ``render_template``'s result to its source.

    Renders the template again, with a mark where each line of a template begins, so that the hot
    path has no marks. Call it only to report a mistake.
    """
    marked = _replace_named_entities(
        _render_in_environment(
            _get_environment(templates, mark_lines=True), templates, name, context
        )
    )
    starts, places = [0], [(name, 1)]
    byte_count = position = 0
    for found in _LINE_MARK.finditer(marked):
        byte_count += len(marked[position : found.start()].encode())
        position = found.end()
        starts.append(byte_count)
        places.append((found["file"], int(found["line"])))

    def locate(offset: int) -> Location:
        return templates.locate(*places[bisect_right(starts, offset) - 1])

    return locate


class _LineMarks(Extension):
    """Jinja extension that marks the start of every line of a template's own text."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            yield self._mark_lines(token, stream.name) if token.type == "data" else token

    @staticmethod
    def _mark_lines(token: Token, name: str | None) -> Token:
        lines = str(token.value).split("\n")
        text = "\n".join(
            f"\ufdd2{name}:{token.lineno + index}\ufdd3{line}" for index, line in enumerate(lines)
        )
        return Token(token.lineno, token.type, text)

    def parse(self, parser: Any) -> nodes.Node:  # pragma: no cover - has no tags
        raise NotImplementedError


class _DescribedUndefined(jinja2.StrictUndefined):
    """An undefined name, whose message suggests a similar one."""

    @property
    def _undefined_message(self) -> str:
        name, owner = self._undefined_name, self._undefined_obj
        if self._undefined_hint or not isinstance(name, str):
            return super()._undefined_message
        if owner is missing:
            return f"'{name}' is not defined"
        if owner is None:
            return f"'.{name}' of an empty value; test it first with {{% if … %}}"
        known = list_template_names(owner)
        return f"there is no '.{name}' here{_suggest_name(name, known)}"


class _CachingSandbox(ImmutableSandboxedEnvironment):
    """The sandbox, which decides once for each attribute of a type, not once for each access.

    Its rules look at nothing but the attribute's name and the type of its owner. They take 0.4 ms
    of a warm render otherwise, of 300 accesses.
    """

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        key = type(obj), attr
        known = _safe_attributes.get(key)
        if known is None:
            known = super().is_safe_attribute(obj, attr, value)
            if len(_safe_attributes) >= _MAX_SAFE_ATTRIBUTES:
                _safe_attributes.clear()
            _safe_attributes[key] = known
        return known


_safe_attributes: dict[tuple[type, str], bool] = {}
_MAX_SAFE_ATTRIBUTES = 4096


@lru_cache(maxsize=8)
def _get_environment(
    templates: Templates, *, mark_lines: bool = False
) -> ImmutableSandboxedEnvironment:
    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        text = templates.files.get(name)
        return None if text is None else (text, name, lambda: True)

    environment = _CachingSandbox(
        loader=jinja2.FunctionLoader(load),
        autoescape=lambda name: not (name or "").endswith(".css"),
        undefined=_DescribedUndefined,
        extensions=[_LineMarks] if mark_lines else [],
        cache_size=-1,
        # Marked templates have the same text, but other code.
        bytecode_cache=None if mark_lines else templates.bytecode_cache,
    )
    environment.filters["default"] = environment.filters["d"] = _default_filter
    return environment


def _default_filter(value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - Jinja's own signature
    if isinstance(value, MergeValue):
        return value.with_default(str(default_value))
    return do_default(value, default_value, boolean)


def _render_in_environment(
    environment: ImmutableSandboxedEnvironment,
    templates: Templates,
    name: str,
    context: TemplateContext,
) -> str:
    try:
        return environment.get_template(name).render(context)
    except _RENDER_ERRORS as error:
        _raise_template_error(error, templates, name, context)


def _raise_template_error(
    error: Exception, templates: Templates, name: str, context: TemplateContext
) -> NoReturn:
    file, number = (
        (error.name or name, error.lineno)
        if isinstance(error, jinja2.TemplateSyntaxError)
        else _find_template_frame(error.__traceback__, templates, name)
    )
    where = templates.locate(file, number)
    if isinstance(error, NewsletterError):
        first = error.problems[0]
        raise TemplateError(first.message, where=where, remedy=first.remedy) from error
    lines = templates.files.get(file, "").split("\n")
    line = lines[number - 1] if number and number <= len(lines) else ""
    foreign = next(find_foreign_tags(line), None)
    if foreign and isinstance(error, jinja2.TemplateSyntaxError):
        message = f"{foreign.text} is a merge tag of another service"
        raise TemplateError(message, where=where, remedy=foreign.remedy) from error
    message, remedy = _describe_error(error, line, templates, context), ""
    if message.endswith("is not defined") and "subscriber" in context:
        remedy = 'If it is an attribute of your readers, write {{ subscriber.… | default("…") }}.'
    raise TemplateError(message, where=where, remedy=remedy) from error


def _describe_error(
    error: Exception, line: str, templates: Templates, context: TemplateContext
) -> str:
    if isinstance(error, jinja2.TemplatesNotFound | jinja2.TemplateNotFound):
        suggestion = _suggest_name(str(error.name), list(templates.files))
        return f"there is no template '{error.name}'{suggestion}"
    if isinstance(error, RecursionError):
        return "templates include one another in a loop"
    message = (getattr(error, "message", None) or str(error)).rstrip(".")
    if found := re.fullmatch(r"'(.+)' is not defined", message):
        return message + _suggest_variable(found[1], line, context)
    return message


def _find_template_frame(
    trace: TracebackType | None, templates: Templates, name: str
) -> tuple[str, int | None]:
    """Return file and line of the innermost template frame in Jinja's rewritten traceback."""
    place: tuple[str, int | None] = (name, None)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in templates.files:
            place = (file, trace.tb_lineno)
        trace = trace.tb_next
    return place


def _suggest_name(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f". Did you mean '{matches[0]}'?" if matches else ""


def _suggest_variable(name: str, line: str, context: TemplateContext) -> str:
    """Return the suggestion for an undefined variable, which may be another service's."""
    whole = re.search(rf"\b{re.escape(name)}(?:\.\w+)+", line)
    expression = suggest_expression(whole[0] if whole else name)
    variable = re.search(r"(\w+)[^\w(]", expression)
    if variable and variable[1] in context:
        return f". Did you mean {expression}?"
    return _suggest_name(name, list(context))


def _replace_named_entities(text: str) -> str:
    def replace_entity(found: re.Match[str]) -> str:
        if found[1] in _XML_ENTITIES or found[1] not in html.entities.html5:
            return found[0]
        return "".join(f"&#{ord(char)};" for char in html.entities.html5[found[1]])

    return _ENTITY.sub(replace_entity, text)
