"""Names in the package: unique, and no grammar words such as ``of`` or ``told``."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "newsletter"
# Each module with public pages defines it, always with the same meaning.
SHARED = {"routes"}
GRAMMAR_WORDS = frozenset(
    {"of", "one", "it", "mine", "here", "there", "told", "said", "whose", "whom", "who"}
)


def parse_modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "migrations" not in path.parts:
            yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text())


def test_names_of_classes_and_public_functions_are_unique() -> None:
    defined_in = defaultdict[str, set[str]](set)
    for module, tree in parse_modules():
        for node in tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                defined_in[node.name].add(module)
    duplicates = {name: found for name, found in defined_in.items() if len(found) > 1}
    assert set(duplicates) == SHARED, duplicates


def test_no_identifier_is_a_grammar_word() -> None:
    found = sorted(
        f"{module}:{getattr(node, 'lineno', 0)} {name}"
        for module, tree in parse_modules()
        for node in ast.walk(tree)
        for name in defined_names(node)
        if name in GRAMMAR_WORDS
    )
    assert not found


def defined_names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
