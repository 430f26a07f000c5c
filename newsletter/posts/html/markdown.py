"""Render Markdown to HTML: CommonMark, GitHub extensions, footnotes."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, html_block
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from newsletter.posts.html.attributes import attributes_plugin
from newsletter.posts.html.callouts import callouts_plugin, latest_issues_plugin
from newsletter.posts.html.code_titles import code_titles_rule
from newsletter.posts.html.emphasis import emphasis_plugin
from newsletter.posts.html.highlight import highlight_code
from newsletter.posts.html.linear_inline import limit_inline_rules
from newsletter.posts.html.normalize.prepare import mark_source_lines
from newsletter.posts.html.smart_quotes import get_quotation_marks

# More levels than the sanitiser accepts, so that too deep a nesting is rejected, not truncated.
_MAX_NESTING = 120
_SELF_CLOSED_SCRIPT = re.compile(r"<(?:script|style|textarea)\b[^<>]*/>\s*", re.IGNORECASE)
_PRE = re.compile(r"(?<!`)<(?P<end>/?)pre(?=[\s>]|$)", re.IGNORECASE)
_TAG_IN_BACKTICKS = re.compile(r"(?<=`)<(?=/?[a-z][^`<>\n]*>`)", re.IGNORECASE)
_CODE_START = re.compile(r"\s*<(?:pre|script|style|textarea|!)", re.IGNORECASE)
# Up to their end tags, all else is their text.
_RAW_TEXT_TAG = re.compile(
    r"<(?=(?P<name>title|xmp|noembed|noframes|plaintext)[\s/>])", re.IGNORECASE
)
_VERSION_LINK = re.compile(r"mailto:[^@]+@.*\d$", re.DOTALL)


def render_markdown(
    text: str,
    *,
    language: str = "en",
    restore_code: Callable[[str], str] = lambda code: code,
    first_line: int = 0,
    latest_in: str | None = None,
) -> str:
    """Return the HTML of a Markdown text, not yet sanitised.

    CommonMark 0.31 with tables, strikethrough, task lists, bare links and alerts (GitHub
    Flavored Markdown), footnotes, definition lists, attributes (``{.class #id}``, also
    kramdown's ``{: .class }``), ``==mark==``, callouts, highlighted code with its title and
    typographic quotes.

    Args:
        text: Markdown.
        language: BCP 47 tag; decides which quotation marks are used.
        restore_code: function applied to all code before it is highlighted.
        first_line: 1-based line of the source on which the text begins, for marks in HTML that
            may be left out; none if it is 0.
        latest_in: the source's path if ``::: latest 3`` is the place of the latest issues in it.

    Raises:
        PostError: a block of the latest issues is not closed, or has no valid number.
    """
    environment = {"restore": restore_code, "first_line": first_line, "path": latest_in}
    parser = _build_parser(get_quotation_marks(language), allow_latest=latest_in is not None)
    return str(parser.render(text, environment))


def iter_markup_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the first line (0-based) and the source of each block that isn't fenced code.

    A table's row is one block; that of a paragraph is without the marks of lists and quotations.
    """
    md = _build_parser(get_quotation_marks("en"))
    tokens: list[Token] = []
    md.block.parse(text, md, {}, tokens)
    lines = text.split("\n")
    line, in_row = 0, False
    for token in tokens:
        line = token.map[0] if token.map else line
        if token.tag == "tr":
            in_row = token.nesting > 0
        if token.type == "tr_open":
            yield line, lines[line]
        elif token.content and token.type != "fence" and not in_row:
            yield line, token.content


def iter_unclosed_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line (0-based) and the name of each ``:::`` block that no line of ``:::`` ends."""
    if ":::" not in text:
        return
    md = _build_parser(get_quotation_marks("en"))
    tokens: list[Token] = []
    md.block.parse(text, md, {}, tokens)
    lines = [*text.split("\n"), ""]
    for token in tokens:
        if token.type.startswith("container_") and token.nesting > 0 and token.map:
            first, last = token.map
            # A block may be in a quotation, or in a list.
            if not lines[last].lstrip("> \t").startswith(token.markup):
                yield first, token.info.split()[0]


@lru_cache(maxsize=8)
def _build_parser(quotes: tuple[str, ...], *, allow_latest: bool = False) -> MarkdownIt:
    md = MarkdownIt(
        "commonmark",
        {
            "typographer": True,
            "quotes": list(quotes),
            "highlight": lambda code, language, _: highlight_code(code, language),
            "tasklists": True,
            "maxNesting": _MAX_NESTING,
            "xhtmlOut": False,  # as the sanitiser writes it, which then needs no second pass
        },
    )
    md.use(emphasis_plugin)
    # Not "replacements", which would also turn the (c) of an enumeration into a copyright sign.
    md.enable(["table", "strikethrough", "smartquotes"])
    md.use(gfm_autolink_plugin)
    md.inline.terminator_re = _restrict_w_terminator(md.inline.terminator_re)
    md.use(footnote_plugin).use(deflist_plugin).use(callouts_plugin)
    if allow_latest:
        md.use(latest_issues_plugin)
    md.block.ruler.before(
        "html_block", "self_closed_script", _self_closed_script_rule, {"alt": ["paragraph"]}
    )
    md.block.ruler.at(
        "html_block", _html_block_rule, {"alt": ["paragraph", "reference", "blockquote"]}
    )
    md.use(attributes_plugin)
    limit_inline_rules(md)
    md.add_render_rule("footnote_caption", _render_footnote_number)
    md.core.ruler.push("restore_code", _restore_code_rule)
    md.core.ruler.push("code_titles", code_titles_rule)
    md.core.ruler.push("task_marks", _task_marks_rule)
    md.core.ruler.push("tags_as_text", _tags_as_text_rule)
    md.core.ruler.push("source_lines", _source_lines_rule)
    md.core.ruler.push("package_versions", _package_versions_rule)
    return md


def _restrict_w_terminator(terminator: re.Pattern[str]) -> re.Pattern[str]:
    """Let only the ``w`` of ``www.`` end a text run, so that not every ``w`` tries every rule."""
    return re.compile(f"{terminator.pattern}(?:(?<!w)|(?<=w)(?=ww\\.))")


def _render_footnote_number(
    _self: object, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    return f"[{tokens[index].meta['id'] + 1}]"


def _restore_code_rule(state: StateCore) -> None:
    restore = state.env["restore"]
    for token in state.tokens:
        if token.type in {"fence", "code_block"}:
            token.content = restore(token.content)
            token.info = restore(token.info)
        for child in token.children or ():
            if child.type == "code_inline":
                child.content = restore(child.content)


def _task_marks_rule(state: StateCore) -> None:
    """Show task list items as characters: email can't show check boxes."""
    for index, token in enumerate(state.tokens):
        if "checked" in token.meta:
            mark = "\u2611" if token.meta.pop("checked") else "\u2610"
            first = state.tokens[index + 2]
            if first.children is not None:
                first.children.insert(0, Token("text", "", 0, content=f"{mark} "))


def _self_closed_script_rule(state: StateBlock, start: int, _end: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    """End ``<script … />`` on its line: CommonMark would take all up to an end tag for its text."""
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    if state.is_code_block(start) or not _SELF_CLOSED_SCRIPT.fullmatch(line):
        return False
    if not silent:
        state.line = start + 1
        token = state.push("html_block", "", 0)
        token.map = [start, start + 1]
        token.content = f"{line}\n"
    return True


def _html_block_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    """Let ``<pre>`` in a block of HTML go on to its own end tag.

    In CommonMark, a blank line in it ends the block, or a ``</script>``: comments in code would
    become headings.
    """
    is_html = html_block(state, start, end, silent)
    if silent or not is_html:
        return is_html
    token, last = state.tokens[-1], state.line
    is_pre = _PRE.match(token.content.lstrip())
    is_open = _leaves_pre_open(token.content)
    first, stop = state.env.get("without_pre_end", (0, 0))  # lines searched in vain
    if not is_open or first <= last <= end <= stop:
        return True
    if not is_pre and _CODE_START.match(token.content):
        return True
    while last < end and (is_open or not (is_pre or state.isEmpty(last))):
        if state.sCount[last] < state.blkIndent and not state.isEmpty(last):
            break
        is_open = _leaves_pre_open(state.src[state.bMarks[last] : state.eMarks[last]], is_open)
        last += 1
    if is_open:
        state.env["without_pre_end"] = (state.line, last)
    else:
        state.line = last
        token.map = [start, last]
        token.content = state.getLines(start, last, state.blkIndent, keepLastLF=True)
    return True


def _leaves_pre_open(markup: str, is_open: bool = False) -> bool:  # noqa: FBT001, FBT002
    """Return whether a ``pre`` is open behind markup, before which one was or not."""
    for tag in _PRE.finditer(markup):
        is_open = not tag["end"]
    return is_open


def _tags_as_text_rule(state: StateCore) -> None:
    """Show tags that are meant as text: those in backticks, and ``<title>`` without an end tag.

    The latter would make text of all that follows; GitHub Flavored Markdown shows it, too (6.11).
    """
    for token in state.tokens:
        if token.type == "html_block":
            token.content = _RAW_TEXT_TAG.sub(
                lambda tag: "<" if tag.string.find(f"</{tag['name']}", tag.end()) > 0 else "&lt;",
                token.content,
            )
            if not _CODE_START.match(token.content):
                token.content = _TAG_IN_BACKTICKS.sub("&lt;", token.content)
        end_tags: set[str] = set()
        for child in reversed(token.children or ()):
            found = _RAW_TEXT_TAG.match(child.content) if child.type == "html_inline" else None
            if found and f"</{found['name']}>" not in end_tags:
                child.type = "text"
            elif child.content.startswith("</"):
                end_tags.add(child.content)


def _source_lines_rule(state: StateCore) -> None:
    """Mark the author's own HTML with its source lines, for what is left out of it."""
    first_line = state.env["first_line"]
    if not first_line:
        return
    for token in state.tokens:
        if token.map is None:
            continue
        line = first_line + token.map[0]
        if token.type == "html_block":
            token.content = mark_source_lines(token.content, line)
        for child in token.children or ():
            if child.type == "html_inline":
                child.content = mark_source_lines(child.content, line)
            line += child.type in {"softbreak", "hardbreak"} or child.content.count("\n")


def _package_versions_rule(state: StateCore) -> None:
    """Take the link from a package's version (``lexer@1.1.0``), which is no email address.

    The plugin accepts a domain that ends in a digit; cmark-gfm doesn't.
    """
    for token in state.tokens:
        children = token.children or []
        versions = [
            index
            for index, child in enumerate(children)
            if child.type == "link_open"
            and child.info == "auto"
            and _VERSION_LINK.match(str(child.attrs["href"]))
        ]
        for index in reversed(versions):
            del children[index + 2], children[index]
