"""Names in the package: one meaning each, and none that only a sentence gives a meaning."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "newsletter"
# Each page of the site has one, and they all mean the same.
SHARED = {"routes"}
WORDS = frozenset(
    {"of", "one", "it", "mine", "here", "there", "told", "said", "whose", "whom", "who"}
)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "migrations" not in path.parts:
            yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text())


def test_a_class_or_public_function_has_a_name_of_its_own() -> None:
    homes = defaultdict[str, set[str]](set)
    for module, tree in modules():
        for node in tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                homes[node.name].add(module)
    doubles = {name: found for name, found in homes.items() if len(found) > 1}
    assert set(doubles) == SHARED, doubles


def test_no_identifier_is_a_grammar_word() -> None:
    found = sorted(
        f"{module}:{getattr(node, 'lineno', 0)} {name}"
        for module, tree in modules()
        for node in ast.walk(tree)
        for name in defined_by(node)
        if name in WORDS
    )
    assert not found


def defined_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
