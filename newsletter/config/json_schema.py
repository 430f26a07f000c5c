"""JSON Schema of newsletter.yml, for completion and checks in editors.

``python -m newsletter.config.json_schema`` (``make schema``) writes it to ``SCHEMA_PATH``.
"""

import json
from pathlib import Path

from newsletter.config.models import Config

SCHEMA_PATH = Path(__file__).with_name("newsletter.schema.json")
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def build_json_schema() -> str:
    """Return the schema as JSON text (JSON Schema 2020-12)."""
    text = json.dumps({"$schema": SCHEMA_DIALECT, **Config.model_json_schema()}, indent=2)
    return text.replace("``", "`") + "\n"  # docstrings are reStructuredText, editors show Markdown


if __name__ == "__main__":
    SCHEMA_PATH.write_text(build_json_schema(), encoding="utf-8")
