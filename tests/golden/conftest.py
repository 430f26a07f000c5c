"""``--update-golden`` rewrites the golden files; review the diff before committing."""

from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return a function that compares text with a golden file, byte for byte."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / name
        if request.config.getoption("--update-golden", default=False):
            path.write_text(text, encoding="utf-8")
        expected = path.read_bytes().decode()
        assert text == expected, f"{name} differs; if that is intended, run: make golden"

    return compare
