"""JSON Schema of front matter, for completion and checks in editors.

``python -m newsletter.posts.front_matter.json_schema`` (``make schema``) writes it to
``FRONT_MATTER_SCHEMA_PATH``.
"""

import json
from pathlib import Path
from typing import Any

from newsletter.posts.front_matter.schema import FrontMatterFields

FRONT_MATTER_SCHEMA_PATH = Path(__file__).with_name("front-matter.schema.json")
# Not 2020-12: Ajv, which checks front matter in VS Code, takes this one without being told.
FRONT_MATTER_SCHEMA_DIALECT = "http://json-schema.org/draft-07/schema#"
_ANNOTATIONS = frozenset({"title", "description", "default", "examples"})


def build_front_matter_schema() -> str:
    """Return the schema as JSON text (JSON Schema draft 7).

    Keys without a value and keys of other tools are valid, as they are when an issue is read.
    """
    schema = FrontMatterFields.model_json_schema()
    schema["properties"] = {
        name: _allow_null(definition) for name, definition in schema["properties"].items()
    }
    text = json.dumps({"$schema": FRONT_MATTER_SCHEMA_DIALECT, **schema}, indent=2)
    return text.replace("``", "`") + "\n"  # docstrings are reStructuredText, editors show Markdown


def _allow_null(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the definition of a key that may be there without a value."""
    annotations = {key: value for key, value in definition.items() if key in _ANNOTATIONS}
    constraints = {key: value for key, value in definition.items() if key not in _ANNOTATIONS}
    if not constraints or {"type": "null"} in constraints.get("anyOf", ()):
        return definition
    return {**annotations, "anyOf": [constraints, {"type": "null"}]}


if __name__ == "__main__":
    FRONT_MATTER_SCHEMA_PATH.write_text(build_front_matter_schema(), encoding="utf-8")
