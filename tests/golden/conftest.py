"""``--update-golden`` writes the golden files anew; look at the diff before you commit it."""

from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares text with the golden file of that name, byte for byte."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / name
        if request.config.getoption("--update-golden", default=False):
            path.write_text(text, encoding="utf-8")
        expected = path.read_bytes().decode()
        assert text == expected, f"{name} differs; if that is right, run: make golden"

    return compare
