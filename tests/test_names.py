"""A name in the package has one meaning."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "newsletter"
# Each page of the site has one, and they all mean the same.
SHARED = {"routes"}


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
