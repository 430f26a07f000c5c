"""How deep HTML nests, told before any parser recurses into it or slows down over it."""

import re

from newsletter.errors import Location, PostError

LIMIT = 100
# Formatting elements that are never closed come back in every following block (HTML Standard,
# "reconstruct the active formatting elements"), so that a few of them can fill a disk.
_DANGLING_LIMIT = 20

_TAG = re.compile(
    r"""<!--(?:-?>|.*?--!?>|.*)
      | <(?P<end>/?)(?P<name>[a-z][^\t\n\f\r\x20/>]*)
        (?: [\t\n\f\r\x20/]
          | [^\t\n\f\r\x20/>][^\t\n\f\r\x20/>=]*
            (?:[\t\n\f\r\x20]*=[\t\n\f\r\x20]*(?:"[^"]*"|'[^']*'|[^\t\n\f\r\x20>"'][^\t\n\f\r\x20>]*)?)?
        )*+""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_RAW_END = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r\x20/>])", re.IGNORECASE)
    for name in ("script", "style")
}
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905
)
_FORMATTING = frozenset(
    "a b big code em font i nobr s small strike strong tt u".split()  # noqa: SIM905
)
_TRANSPARENT = _FORMATTING | {
    "abbr",
    "address",
    "cite",
    "div",
    "kbd",
    "mark",
    "p",
    "span",
    "sub",
    "sup",
}
# An element that closes an open one of its group, if only transparent ones are between.
_CLOSES = {
    **{name: frozenset({name}) for name in ("a", "li", "option", "p", "tr")},
    **dict.fromkeys(("dd", "dt"), frozenset({"dd", "dt"})),
    **dict.fromkeys(("td", "th"), frozenset({"td", "th"})),
    **dict.fromkeys(("tbody", "thead", "tfoot"), frozenset({"tbody", "thead", "tfoot"})),
}


def check_depth(html: str, path: str | None = None) -> None:
    """Refuse HTML that nests deeper than ``LIMIT``.

    Reads tags as the HTML Standard's tokenizer does, in one pass and constant stack; where it
    simplifies the standard's tree construction it errs to the deeper side.

    Args:
        html: any text.
        path: the file it is from, for the message.

    Raises:
        PostError: it is deeper, or leaves too many formatting elements open.
    """
    stack: list[str] = []
    dangling: list[str] = []
    at = 0
    while found := _TAG.search(html, at):
        at = found.end()
        name = (found["name"] or "").lower()
        if not name or name in _VOID:
            continue
        if found["end"]:
            _close(name, stack, dangling)
            continue
        _open(name, stack, dangling)
        if name in _RAW_END and "svg" not in stack and "math" not in stack:
            end = _RAW_END[name].search(html, at)
            at = end.start() if end else len(html)
        if len(stack) + len(dangling) > LIMIT or len(dangling) > _DANGLING_LIMIT:
            line = html.count("\n", 0, found.start()) + 1
            raise PostError(
                f"the HTML nests more than {LIMIT} elements deep"
                if len(stack) > LIMIT - len(dangling)
                else f"more than {_DANGLING_LIMIT} elements like <{dangling[0]}> are never closed",
                where=Location(path, line) if path else None,
                remedy="Mail clients cannot show that. Take wrappers out, or close what is open.",
            )


def _open(name: str, stack: list[str], dangling: list[str]) -> None:
    if name == "a" and name in dangling:
        dangling.remove(name)
    if group := _CLOSES.get(name):
        for index in range(len(stack) - 1, -1, -1):
            if stack[index] in group:
                _drop(index, stack, dangling)
                break
            if stack[index] not in _TRANSPARENT:
                break
    stack.append(name)


def _close(name: str, stack: list[str], dangling: list[str]) -> None:
    for index in range(len(stack) - 1, -1, -1):
        if stack[index] == name:
            if name in _FORMATTING:
                del stack[index]
            else:
                _drop(index, stack, dangling)
            return
    if name in dangling:
        dangling.remove(name)


def _drop(index: int, stack: list[str], dangling: list[str]) -> None:
    """Close one element and all in it; formatting in it stays open, as the standard has it."""
    dangling.extend(name for name in stack[index + 1 :] if name in _FORMATTING)
    del stack[index:]
