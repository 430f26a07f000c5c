"""Take the pictures in ``docs/images`` from the sample newsletter, in a real Chromium.

    make pictures

The mail in light, dark, on a phone and in each design, the preview, the report of a made-up send,
the sign-up page, and each block of the reference (block_pictures.py). Names and numbers in them are
made up.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plugins"))

from block_pictures import take_block_pictures
from chromium import FLAGS, PROGRAMS
from made_up_send import AT, SampleSend, make_send
from preview_server import serving
from sending_fixtures import configured

from newsletter.db import database_engine, read_transaction
from newsletter.reports.comparison import list_started_sends
from newsletter.reports.output.html import render_report_page
from newsletter.reports.report import build_send_report

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
ISSUE = "2026-11-22-reading-the-tide"
WEEK = datetime.timedelta(days=7)


def take_pictures(folder: Path, browser: Browser) -> Iterator[Path]:
    """Take all pictures from a copy of the sample newsletter, and yield their files."""
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "newsletter.yml", folder)
    os.chdir(folder)  # the preview shows paths as the editor would type them
    with serving(folder, ISSUE) as preview:
        for name, width, height, scheme in (
            ("mail-light", 700, 1000, "light"),
            ("mail-dark", 700, 1000, "dark"),
            ("mail-phone", 375, 1000, "light"),
        ):
            with open_page(browser, width, height) as page:
                page.goto(f"{preview.url}mail?issue={ISSUE}&scheme={scheme}")
                yield save(page, name)
        for design in ("issue", "magazine", "plain"):
            with open_page(browser, 680, 1100, scale=0.6) as page:
                page.goto(f"{preview.url}mail?issue={ISSUE}&design={design}")
                yield save(page, f"design-{design}")
        with open_page(browser, 1440, 900) as page:
            page.goto(preview.url)
            page.locator("iframe.front[data-shown]").wait_for()
            page.locator("#findings-section").wait_for()
            yield save(page, "preview")
    yield from take_block_pictures(folder, browser)
    with open_page(browser, 900, 1000) as page:
        page.goto(write_report(folder).as_uri())
        yield save(page, "report")
    with serve_site(folder) as url, open_page(browser, 900, 700) as page:
        page.goto(f"{url}/subscribe")
        yield save(page, "sign-up")


def write_report(folder: Path) -> Path:
    """Write the report of a made-up send, compared with an earlier one."""
    with database_engine("sqlite:///report.db", folder) as engine:
        make_send(
            engine,
            SampleSend(issue="2026-11-17-before", at=AT - WEEK, readers=2_000, seed=5, warmth=0.8),
        )
        make_send(engine, SampleSend(readers=10_000))
        with read_transaction(engine) as connection:
            config = configured(timezone="Europe/Oslo")
            sends = list_started_sends(connection, AT + WEEK)
            report = build_send_report(connection, sends[-1], config, AT + WEEK)
    file = folder / "report.html"
    file.write_text(render_report_page(report, config))
    return file


@contextmanager
def serve_site(folder: Path) -> Iterator[str]:
    """Serve the public pages on a free port, and yield their URL."""
    settings = folder / "newsletter.yml"
    settings.write_text(f"{settings.read_text()}\npublic_url: http://127.0.0.1\n")
    command = [sys.executable, "-m", "newsletter", "serve", "--port", "0"]
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout
            for line in server.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield found[0]
                    break
            else:
                raise SystemExit("newsletter serve has not started")
        finally:
            server.terminate()


@contextmanager
def open_page(browser: Browser, width: int, height: int, scale: float = 1) -> Iterator[Page]:
    """Open a page in a window of this size, in pixels; its picture is made smaller by ``scale``."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        reduced_motion="reduce",
    )
    yield context.new_page()
    context.close()


def save(page: Page, name: str) -> Path:
    """Save what the window shows."""
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file, animations="disabled")
    return file


if __name__ == "__main__":
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("the pictures need Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for taken in take_pictures(Path(temporary), chromium):
            sys.stdout.write(f"{taken.relative_to(ROOT)}\n")
        chromium.close()
