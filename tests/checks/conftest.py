"""Fixtures: the input of a check, rendered from a post by the whole chain."""

import struct
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from newsletter.checks.check_context import CheckContext
from newsletter.config.models import Config
from newsletter.posts.read_issue import read_issue
from newsletter.render.article.build import build_article
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates, load_templates

ROOT = Path(__file__).parents[2]
FRONT = {
    "title": "Spring in the harbour",
    "subject": "The boats are back",
    "preheader": "And so is the fog, which stays until noon.",
}
BODY = """\
The ice let go on Tuesday, and by Thursday the first boats lay at the quay again, with their paint
still wet and their owners pretending that nothing was the matter.

Write to me at [the usual place](https://harbournotes.example/write) when you have seen the first
tern of the year; I should like to know how far it has come.
"""

MakeContext = Callable[..., CheckContext]


@pytest.fixture(scope="session")
def templates() -> Templates:
    return load_templates(ROOT / "templates")


@pytest.fixture
def make_context(tmp_path: Path, templates: Templates) -> MakeContext:
    """Return a function that renders a post into a check context; the defaults are correct."""

    def make(
        body: str = BODY,
        *,
        front: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        **more: Any,
    ) -> CheckContext:
        config = Config.model_validate(
            {
                "name": "Harbour Notes",
                "sender": {"name": "Ingrid", "address": "ingrid@harbournotes.example"},
                "postal_address": "Harbour Notes, Strandgaten 4, Bergen",
                "site_url": "https://harbournotes.example",
                "attributes": {"name": "friend"},
                **(settings or {}),
            }
        )
        folder = tmp_path / "2026-11-22-spring"
        folder.mkdir(exist_ok=True)
        front_matter = {
            key: value for key, value in {**FRONT, **(front or {})}.items() if value != ""
        }
        header = yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True, width=500)
        source = f"---\n{header}---\n{textwrap.dedent(body)}"
        (folder / "post.md").write_text(source)
        for name, data in (files or {}).items():
            (folder / name).write_bytes(data)
        issue = read_issue(folder, config)
        article = build_article(issue, config)
        email = render_issue(issue, templates, config, article=article)
        return CheckContext(issue, article, email, config, **more)

    return make


def png(width: int, height: int, size: int = 0) -> bytes:
    """Return the header of a PNG of these dimensions, padded to ``size`` bytes."""
    header = struct.pack(">II", width, height) + b"\x08\x02\0\0\0"
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + b"IHDR" + header
    return start + bytes(max(size - len(start), 0))


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    return png
