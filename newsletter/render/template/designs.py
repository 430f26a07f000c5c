"""The designs of a project: built in, changed, or the editor's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from newsletter.render.template.loader import Templates

# What a design's file says about itself, in a comment at its beginning.
_COMMENT = re.compile(r"\{#-?\s*(?P<text>.*?)\s*-?#\}\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Design:
    """A design that ``theme.template`` can name.

    Attributes:
        name: its file in the templates folder, without ``.mjml``.
        state: whether it comes with the program and is as it came, was edited since, is missing
            from the folder, or is the editor's own.
        description: what it looks like, one line; empty if its file doesn't say.
    """

    name: str
    state: Literal["built-in", "edited", "missing", "own"]
    description: str


def list_project_designs(templates: Templates, shipped: Templates) -> list[Design]:
    """Return the designs of a project by name, and those that come with the program and it lacks.

    Args:
        templates: the project's.
        shipped: those that come with the program.
    """
    names = {*templates.list_designs(), *shipped.list_designs()}
    return [_make_design(name, templates, shipped) for name in sorted(names)]


def _make_design(name: str, templates: Templates, shipped: Templates) -> Design:
    file = f"{name}.mjml"
    description = _describe(templates.files.get(file, "")) or _describe(shipped.files.get(file, ""))
    if file not in templates.files:
        return Design(name, "missing", description)
    if file not in shipped.files:
        return Design(name, "own", description)
    is_same = list_design_files(templates, name) == list_design_files(shipped, name)
    return Design(name, "built-in" if is_same else "edited", description)


def list_design_files(templates: Templates, name: str) -> Mapping[str, str]:
    """Return the files of a design with their texts: its template, its CSS, all that they include.

    Its template comes first.
    """
    css = f"{name}.css" if f"{name}.css" in templates.files else "article.css"
    used = [*templates.list_used_files(f"{name}.mjml"), *templates.list_used_files(css)]
    return {file: templates.files[file] for file in dict.fromkeys(used)}


def make_new_design(
    name: str, original: str, templates: Templates, shipped: Templates
) -> Mapping[str, str]:
    """Return the files of a new design, the copy of another one: path -> text.

    The parts that it includes are shared with the other designs; those that the project lacks are
    among the files.

    Args:
        name: of the new design.
        original: the design that is copied: the project's, else the one that comes with the
            program.
        templates: the project's.
        shipped: those that come with the program.
    """
    source = templates if f"{original}.mjml" in templates.files else shipped
    template, css = f"{original}.mjml", f"{original}.css"
    parts = {**list_design_files(shipped, original), **list_design_files(source, original)}
    missing = {
        file: text
        for file, text in parts.items()
        if file not in templates.files and file not in {template, css}
    }
    text = source.files[template]
    if name != original:
        text = (
            f"{{#- A copy of {original}: say here what it looks like. -#}}\n"
            f"{_COMMENT.sub('', text, count=1) if _COMMENT.match(text) else text}"
        )
    own_css = source.files.get(css, '{% include "article.css" %}\n')
    return {**missing, f"{name}.css": own_css, f"{name}.mjml": text}


def _describe(text: str) -> str:
    found = _COMMENT.match(text)
    return " ".join(found["text"].split()) if found else ""
