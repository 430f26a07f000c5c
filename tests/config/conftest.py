from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from newsletter.config import Config, load_config
from newsletter.errors import ConfigError

VALID = """\
name: Harbour Notes
sender:
  name: Harbour Notes
  address: editor@harbournotes.example
site_url: https://harbournotes.example
"""

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a newsletter.yml with the required settings and ``more``, or with ``whole`` alone."""
    monkeypatch.chdir(tmp_path)

    def load_text(
        more: str = "",
        *,
        whole: str | bytes | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Config:
        text = VALID + more if whole is None else whole
        data = text.encode() if isinstance(text, str) else text
        (tmp_path / "newsletter.yml").write_bytes(data)
        return load_config(tmp_path / "newsletter.yml", environ or {})

    return load_text


@pytest.fixture
def get_problems(load: Load) -> Problems:
    """Return the problems of a newsletter.yml as the user sees them."""

    def load_and_format(
        more: str = "",
        *,
        whole: str | bytes | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(more, whole=whole, environ=environ)
        return [str(problem) for problem in caught.value.problems]

    return load_and_format
