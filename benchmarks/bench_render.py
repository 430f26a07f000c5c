"""The whole rendering chain, against premailer alone.

The baseline does one step of the chain, from post.md to email, on the same document: the rendered
template with the article, its CSS in a <style>. It runs in its own process, with default options
but a larger cache: with its own small cache it takes three times as long. Both are warm, and
alternate. See also bench_mjml_juice.py.
"""

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

from newsletter.config.load import load_config
from newsletter.config.models import Config
from newsletter.posts.read_issue import read_issue
from newsletter.render.css.inline import inline_css
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates, load_templates

ROOT = Path(__file__).parent.parent
ROUNDS = 31
WORDS = """
    tide harbour boat morning slack water rope quay north wind grey light kettle gull swell keel
    mast line net plank tar moon shore reef bell lamp fog oar knot sail salt stone
""".split()
SECTION_WORDS = 300
GOALS = {900: 0.7, 10_000: 1.2}


def post(words: int) -> str:
    """Return a post of about so many words with lists, quotes, a table and code."""
    sections = [section(number) for number in range(words // SECTION_WORDS)]
    return "---\ntitle: A letter from the quay\ndate: 2026-11-22\n---\n" + "\n\n".join(sections)


def section(number: int) -> str:
    def prose(start: int, count: int) -> str:
        picked = [
            WORDS[(start * 7 + index * (3 + number % 5)) % len(WORDS)] for index in range(count)
        ]
        return " ".join(picked).capitalize() + "."

    return f"""\
## {prose(number, 4)}

{prose(number, 70)} [{prose(1, 3)}](https://example.com/{number}) **{prose(2, 4)}**

{prose(number + 1, 70)} _{prose(3, 5)}_ and `tide.py`.[^{number}]

- {prose(4, 12)}
- {prose(5, 12)}
  1. {prose(6, 10)}
  2. {prose(7, 10)}

> {prose(8, 30)}

| {prose(9, 1)} | {prose(10, 1)} |
|---|---|
| {prose(11, 3)} | {prose(12, 3)} |
| {prose(13, 3)} | {prose(14, 3)} |

```python
def height(hour: int) -> float:
    return sum(TWELFTHS[:hour]) / {number + 1}  # metres
```

{prose(number + 2, 60)}

[^{number}]: {prose(15, 8)}
"""


def median(run: Callable[[], object]) -> float:
    """Return the median time in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        gc.collect()
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def before_inlining(folder: Path, config: Config, templates: Templates) -> str:
    """Return the document as the inliner gets it, with the CSS to inline in its head."""
    captured: list[str] = []

    def capture(html: str, css: str, *args: object) -> str:
        captured.append(html.replace("</head>", f"<style>{css}</style></head>"))
        return inline_css(html, css, *args)  # type: ignore[arg-type]

    with patch("newsletter.render.template.compile.inline_css", capture):
        render_issue(read_issue(folder, config), templates, config)
    return captured[0]


BASELINE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from premailer import Premailer
from bench_render import median
html = sys.stdin.read()
run = lambda: Premailer(html, cssutils_logging_level="CRITICAL").transform()
run()
print(median(run))
"""


def default_premailer(document: str) -> float:
    environment = {**os.environ, "PREMAILER_CACHE": "LRU", "PREMAILER_CACHE_MAXSIZE": "4096"}
    process = subprocess.run(
        [sys.executable, "-c", BASELINE],
        input=document,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(process.stdout)


def main() -> None:
    config = load_config(ROOT / "newsletter.yml", {})
    templates = load_templates(ROOT / "templates")
    print(f"medians of {ROUNDS}, warm")
    for words, goal in GOALS.items():
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work) / "2026-11-22-quay"
            folder.mkdir()
            (folder / "post.md").write_text(post(words))
            document = before_inlining(folder, config, templates)
            baseline = default_premailer(document)
            read = median(partial(read_issue, folder, config))
            render = median(partial(render_issue, read_issue(folder, config), templates, config))
            baseline = (baseline + default_premailer(document)) / 2
        size = len(document.encode()) / 1024
        chain_ms = read + render
        print(
            f"{words:6,} words, {size:3.0f} KB: premailer, large cache, {baseline:5.1f} ms, "
            f"whole chain {chain_ms:5.1f} ms (reading {read:.1f}, rendering {render:.1f}): "
            f"{chain_ms / baseline:.2f} x, goal {goal} x"
        )


if __name__ == "__main__":
    main()
