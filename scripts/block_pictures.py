"""Take the pictures of ``docs/images/blocks``: the example of each block in the reference.

``make pictures`` calls this; to take only these: ``python scripts/block_pictures.py``. Each section
of ``docs/reference/issues.md`` with an example names the file of its picture.
"""

import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from chromium import FLAGS, PROGRAMS
from preview_server import serving

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "issues.md"
SAMPLE = ROOT / "newsletter" / "project" / "starter" / "sample"
WIDTH = 600  # CSS pixels
MARGIN = 20  # CSS pixels above and below the block
COLORS = 256
# The files that the examples name.
PICTURES = {
    "boat.jpg": "hero.jpg",
    "high.jpg": "posts-at-high-water.jpg",
    "low.jpg": "posts-at-low-water.jpg",
    "slack.jpg": "slack-water.jpg",
}
_SECTION = re.compile(r"^### (?P<name>.+)\n(?P<text>(?:(?!^### ).*\n)*)", re.MULTILINE)
_EXAMPLE = re.compile(
    r"^(?P<fence>`{3,})\w+\n(?P<source>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
_PICTURE = re.compile(r"^!\[.+\]\(\.\./images/blocks/(?P<file>[\w-]+\.png)\)$", re.MULTILINE)


class Block(NamedTuple):
    """A block of the reference: its name, its example, and the file of its picture."""

    name: str
    source: str
    picture: Path


def read_blocks() -> Iterator[Block]:
    """Yield the blocks of the reference; the script ends if one has no picture."""
    for section in _SECTION.finditer(PAGE.read_text()):
        if example := _EXAMPLE.search(section["text"]):
            picture = _PICTURE.search(section["text"])
            if picture is None:
                raise SystemExit(f"'{section['name']}' in {PAGE.relative_to(ROOT)} has no picture")
            file = ROOT / "docs" / "images" / "blocks" / picture["file"]
            yield Block(section["name"], example["source"], file)


def take_block_pictures(folder: Path, browser: Browser) -> Iterator[Path]:
    """Take the picture of every block, and yield its file.

    Args:
        folder: a copy of the sample newsletter; each block becomes an issue in it.
        browser: a running browser.
    """
    blocks = {
        f"2026-11-22-block-{number}": block for number, block in enumerate(read_blocks(), start=1)
    }
    for name, block in blocks.items():
        issue = folder / "issues" / name
        issue.mkdir(parents=True)
        (issue / "post.md").write_text(f"---\ntitle: A block\n---\n{block.source}")
        for wanted, picture in PICTURES.items():
            shutil.copy(SAMPLE / picture, issue / wanted)
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    page = context.new_page()
    with serving(folder, next(iter(blocks))) as preview:
        for name, block in blocks.items():
            page.goto(f"{preview.url}mail?issue={name}")
            boxes = [box for part in page.locator(".article").all() if (box := part.bounding_box())]
            top = min(box["y"] for box in boxes) - MARGIN
            bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
            _save(
                page.screenshot(
                    clip={"x": 0, "y": top, "width": WIDTH, "height": bottom - top},
                    full_page=True,
                    animations="disabled",
                ),
                block.picture,
            )
            yield block.picture
    context.close()


def _save(screenshot: bytes, file: Path) -> None:
    """Save a picture with few colors: all of them are downloaded with the documentation."""
    file.parent.mkdir(exist_ok=True)
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    picture.quantize(COLORS, kmeans=3, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("the pictures need Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        project = Path(temporary)
        shutil.copytree(ROOT / "templates", project / "templates")
        shutil.copy(ROOT / "newsletter.yml", project)
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for taken in take_block_pictures(project, chromium):
            sys.stdout.write(f"{taken.relative_to(ROOT)}\n")
        chromium.close()
