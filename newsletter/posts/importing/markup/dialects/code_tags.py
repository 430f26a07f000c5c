"""Turn code between tags into code blocks: ``{% highlight ruby %}``."""

import html
import re
from collections.abc import Iterator

from newsletter.posts.importing.markup.edits import Edit, Ranges
from newsletter.posts.importing.markup.page import MarkupPage

_LIQUID_NAMES = "highlight|codeblock|code_block|prism|syntax|mermaid"
# Of plugins: the last is CodeColorer's, with its modes and a language: [ccne_php].
_WORDPRESS_NAMES = (
    "sourcecode|code|php|css|html|xhtml|javascript|jscript|js|python|bash|shell|ruby|sql|xml|java"
    "|csharp|cpp|perl|powershell|scala|vbnet|json|yaml|diff|plain"
    "|cc[iestlwbnIESTLWBN]{0,9}(?:_[a-z0-9+#]{1,20})?"
)
_TAG = re.compile(
    rf"""\{{%-?\s{{0,9}}(?P<liquid_end>end)?(?P<liquid>{_LIQUID_NAMES})\b(?P<liquid_arguments>[^{{}}\n]{{0,200}}?)-?%\}}
    |\{{\{{[<%]\s{{0,9}}(?P<hugo_end>/\s{{0,9}})?(?P<hugo>highlight|code|mermaid)\b
      (?P<hugo_arguments>[^{{}}\n]{{0,200}}?)[>%]\}}\}}
    |\[(?P<wordpress_end>/)?(?P<wordpress>{_WORDPRESS_NAMES})
      (?P<wordpress_arguments>[ ][^\[\]\n]{{0,200}})?\](?![(\[:])""",
    re.VERBOSE,
)
_LANGUAGE = re.compile(r"(?:lang(?:uage)?\s*=\s*)?[\"']?(?P<language>[A-Za-z][\w+#-]{0,20})[\"']?")
_NAMED_LANGUAGE = re.compile(r"\blang(?:uage)?\s*[=:]\s*[\"']?([A-Za-z][\w+#-]{0,20})")
_NAMES_WITH_LANGUAGE = frozenset(
    "highlight codeblock code_block prism syntax code sourcecode cc".split()
)
_ANGLE_BRACKET = re.compile(r"[<>]")
_TICKS = re.compile(r"`+|~+")
# Group of _TAG -> what its tags are called.
_FAMILIES = {
    "liquid": "template tag",
    "hugo": "Hugo shortcode",
    "wordpress": "WordPress shortcode",
}


def translate_code_tags(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for all code between tags."""
    for opening, closing, family in _iter_pairs(page):
        why = f"{_FAMILIES[family]} {opening[family]}, now code"
        start, end, group = opening.end(), closing.start(), opening.start()
        code = page.text[start:end]
        if not page.is_markdown and not _ANGLE_BRACKET.search(code):
            code = html.unescape(code)  # typed in an editor that escapes text, not as HTML
        language = _get_language(opening[family], opening[f"{family}_arguments"] or "")
        is_own_line = page.is_alone(*opening.span()) and page.is_alone(*closing.span())
        if page.is_markdown and is_own_line:
            longest = max((len(run[0]) for run in _TICKS.finditer(code)), default=0)
            fence = "`" * max(3, longest + 1)
            yield Edit(*opening.span(), f"{fence}{language}", why, group=group)
            yield Edit(*closing.span(), fence, why, group=group)
        elif page.is_markdown and "\n" not in code and "`" not in code and code.strip():
            yield Edit(*opening.span(), "`", why, group=group)
            yield Edit(*closing.span(), "`", why, group=group)
        else:
            code_class = f' class="language-{language}"' if language else ""
            # Its first line is not below the tag; line ends go before the block.
            first = start + len(page.text[start:end]) - len(page.text[start:end].lstrip("\n"))
            line_ends = "\n" * (first - start)
            opened = f"{line_ends}<pre><code{code_class}>"
            yield Edit(group, first, opened, why, opening[0], group)
            escaped = html.escape(code.lstrip("\n"), quote=False)
            yield Edit(first, end, escaped, group=group)
            yield Edit(*closing.span(), "</code></pre>", why, group=group)


def find_code_tag_ranges(page: MarkupPage) -> Ranges:
    """Return the passages between tags of code, with the tags."""
    return Ranges((opening.start(), closing.end()) for opening, closing, _ in _iter_pairs(page))


def _iter_pairs(page: MarkupPage) -> Iterator[tuple[re.Match[str], re.Match[str], str]]:
    opening: re.Match[str] | None = None
    family = ""
    for found in _TAG.finditer(page.text):
        if found.start() in page.protected and not opening:
            continue
        found_family = next(name for name in _FAMILIES if found[name])
        is_end = bool(found[f"{found_family}_end"])
        if opening is None and not is_end:
            opening, family = found, found_family
        elif opening is not None and is_end and found[family] == opening[family]:
            yield opening, found, family
            opening = None
        elif opening is not None and not is_end and found_family == family:
            opening = found  # the one before was never closed


def _get_language(name: str, arguments: str) -> str:
    if "_" in name and name.startswith("cc"):
        return name.partition("_")[2]
    if name not in _NAMES_WITH_LANGUAGE and not name.startswith("cc"):
        return "" if name == "plain" else name
    if named := _NAMED_LANGUAGE.search(arguments):
        return named[1]
    found = _LANGUAGE.match(arguments.strip())
    return found["language"] if found and found["language"] != "linenos" else ""
