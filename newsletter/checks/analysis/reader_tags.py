"""Find merge tags of other services that stand for a reader's name."""

import re
from collections.abc import Iterator

from newsletter.render.template.foreign_tags import suggest_expression

_TAG = re.compile(
    r"\{(?P<capitals>[A-Z][A-Z_]{3,30})\}"
    r"|(?<![\w%])%(?P<percent>[A-Za-z][\w.]{2,40})%(?!\w)"
    r"|(?<![#\w])##(?P<hashes>[A-Za-z][\w.]{2,40})##(?![#\w])"
    r"|\$\{(?P<dollar>[A-Za-z][\w.]{2,40})\}"
    r"|<<\s?(?P<angles>[A-Za-z][\w. ]{2,40}?)\s?>>"
)
_READER_EXPRESSIONS = frozenset({"{{ subscriber.name }}", "{{ subscriber.email }}"})
_ENVIRONMENT_VARIABLES = frozenset({"USERNAME"})  # %USERNAME% of Windows
_BRACKETS = re.compile(r"\[(?P<name>[A-Za-z]+[ _.-]?(?i:name))\]|\[(?P<short>[FL]NAME)\]")
_GREETING = re.compile(
    r"^\W*(?:(?i:hi|hello|hey|dear|hallo|liebe[rs]?|hei|hej|bonjour|salut|hola|ciao|olá)[ ,]{1,2})"
    r"(?P<value>undefined|null|None|NaN|\[object Object\]|\{[a-z_ ]{3,20}\})"
    r"(?=\s?[,!.:\u2013\u2014-]|$)"
)
_VALUE_BEHIND = re.compile(r"[,:] (?P<value>undefined|null|\[object Object\])(?=[,!.]|$)")


def find_reader_tags(text: str) -> Iterator[str]:
    """Yield what can be nothing but a reader's name or address in the form of another service.

    The forms also mean other things: only names that are known count.
    """
    for found in _TAG.finditer(text):
        name = found[found.lastgroup or 0]
        if suggest_expression(name) in _READER_EXPRESSIONS and name not in _ENVIRONMENT_VARIABLES:
            yield found[0]


def find_unfilled_names(text: str, *, is_line: bool = False) -> Iterator[str]:
    """Yield what looks like a reader's name that was not filled in: [First Name], Hi undefined.

    Args:
        text: a paragraph, or a subject.
        is_line: whether it is a subject, where an empty value may also be behind a comma.
    """
    for found in _BRACKETS.finditer(text):
        name = found["name"] or found["short"]
        if suggest_expression(name) == "{{ subscriber.name }}":
            yield found[0]
    if greeting := _GREETING.search(text):
        yield greeting["value"]
    elif is_line and (value := _VALUE_BEHIND.search(text)):
        yield value["value"]
