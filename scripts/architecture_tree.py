"""Regenerate the file tree of docs/explanation/architecture.md.

A module's purpose is the first line of its docstring; the purposes of other files are listed here.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
BEGIN, END = "<!-- tree -->\n```text\n", "```\n<!-- /tree -->\n"

# The purposes of folders and files without a docstring.
PURPOSES = {
    "newsletter/checks/analysis/client_support.json": "What each mail client supports (caniemail)",
    "newsletter/checks/analysis/client_support.LICENSE": "The license of that data (MIT)",
    "newsletter/config/newsletter.schema.json": "JSON Schema of newsletter.yml, generated",
    "newsletter/db/migrations": "Alembic: one file per change of the schema",
    "newsletter/posts/front_matter/front-matter.schema.json": (
        "JSON Schema of front matter, generated"
    ),
    "newsletter/preview/static": "The preview's page: HTML, CSS, JavaScript",
    "newsletter/project/starter": "What `newsletter init` writes",
    "newsletter/py.typed": "The package is typed (PEP 561)",
    "newsletter/reports/output/report_page.html": "The template of the report's page",
    "newsletter/web/subscriber/subscribe.js": "The script of the embedded sign-up form",
    "templates": "What a designer changes (in the wheel: newsletter/default_templates)",
    "templates/article.css": "Styles of the article, inlined",
    "templates/confirm.mjml": "Transactional email: confirm a sign-up",
    "templates/digest.mjml": "The cards of a digest, in every design",
    "templates/download.mjml": "Transactional email: download one's data",
    "templates/erase.mjml": "Transactional email: erase one's data",
    "templates/issue.mjml": "The issue's email",
    "templates/magazine.css": "Styles of the magazine template",
    "templates/magazine.mjml": "The issue's email with a cover and cards",
    "templates/move.mjml": "Transactional email: change an address",
    "templates/partials": "Parts that templates include: head, masthead, footer and others",
    "templates/plain.css": "Styles of the plain template",
    "templates/plain.mjml": "The issue's email without decoration",
    "templates/web": "Public pages, one file each",
    "templates/words": "The words of emails and pages, one file a language",
}
# Folders whose files are not listed.
COLLAPSED = frozenset(
    {
        "newsletter/db/migrations",
        "newsletter/preview/static",
        "newsletter/project/starter",
        "templates/partials",
        "templates/web",
        "templates/words",
    }
)


def main() -> None:
    """Replace the tree in the page; with ``--print``, print it instead."""
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(tree())
        return
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + tree() + END + after)


def tree() -> str:
    """Return the tree as text, one line per entry."""
    lines = [line for top in ("newsletter", "templates") for line in _folder(ROOT / top, 0)]
    return "".join(f"{line}\n" for line in lines)


def _folder(folder: Path, depth: int) -> Iterator[str]:
    yield _line(f"{folder.name}/", _purpose(folder), depth)
    if str(folder.relative_to(ROOT)) in COLLAPSED:
        return
    entries = sorted(folder.iterdir(), key=lambda entry: (entry.is_dir(), entry.name))
    for entry in entries:
        if entry.name in {"__pycache__", "__init__.py"} or entry.suffix == ".pyc":
            continue
        if entry.is_dir():
            yield from _folder(entry, depth + 1)
        else:
            yield _line(entry.name, _purpose(entry), depth + 1)


def _line(name: str, purpose: str, depth: int) -> str:
    return f"{'  ' * depth}{name:<{30 - 2 * depth}}  {purpose}".rstrip()


def _purpose(path: Path) -> str:
    name = str(path.relative_to(ROOT))
    if name in PURPOSES:
        return PURPOSES[name]
    module = path / "__init__.py" if path.is_dir() else path
    docstring = ast.get_docstring(ast.parse(module.read_text())) or ""
    return docstring.partition("\n")[0].rstrip(".")


if __name__ == "__main__":
    main()
