"""Preview: time from saving a post to the new email in Chromium.

The clock starts when the file is written and stops when the frame with the new text has been
painted (the page's own clock, two animation frames later). The baseline is one step of the chain:
the same email through premailer with its default options, warm, in its own process, since
newsletter patches premailer.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.preview.server import PreviewServer, open_preview_socket
from newsletter.project import open_project

ROOT = Path(__file__).parent.parent
ISSUE = "2026-11-22-reading-the-tide"
ROUNDS = 31
GOAL = 200
WAIT_FOR_TEXT = """(words) => new Promise((resolve) => {
  const look = () => {
    const page = document.querySelector("iframe.front").contentDocument;
    if (!page?.body?.textContent.includes(words)) return requestAnimationFrame(look);
    requestAnimationFrame(() => resolve(Date.now()));
  };
  look();
})"""


def measure(page: Page, post: Path) -> list[float]:
    text = post.read_text()
    times = []
    for number in range(ROUNDS):
        words = f"Version {number} of the tide."
        page.evaluate(f"(words) => {{ window.seen = ({WAIT_FOR_TEXT})(words); }}", words)
        started = time.time()
        post.write_text(f"{text}\n\n{words}\n")
        ended = float(page.evaluate("() => window.seen"))
        times.append(ended - started * 1000)
    return times


BASELINE = """
import statistics, sys, time
from premailer import Premailer
html, times = sys.stdin.read(), []
for _ in range(11):
    started = time.perf_counter()
    Premailer(html, cssutils_logging_level="CRITICAL").transform()
    times.append((time.perf_counter() - started) * 1000)
print(statistics.median(times[1:]))
"""


def measure_premailer(document: str) -> float:
    process = subprocess.run(
        [sys.executable, "-c", BASELINE], input=document, capture_output=True, text=True, check=True
    )
    return float(process.stdout)


def copy_project(target: Path) -> Path:
    shutil.copyfile(ROOT / "newsletter.yml", target / "newsletter.yml")
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, target / name)
    return target


def main() -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as work, open_preview_socket(0) as listener:
        folder = copy_project(Path(work).resolve())
        project = open_project(folder)
        workspace = PreviewWorkspace(project)
        rendering = workspace.get_state(ISSUE).rendering
        assert rendering
        document = rendering.email.html
        baseline = measure_premailer(document)
        server = PreviewServer(workspace, ISSUE, listener)
        thread = threading.Thread(target=server.run_until_stopped)
        thread.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(server.address)
                page.wait_for_selector("iframe.front[data-shown]")
                times = measure(page, project.issues_dir / ISSUE / "post.md")
                browser.close()
        finally:
            server.should_exit = True
            thread.join()
    median = statistics.median(times)
    worst = statistics.quantiles(times, n=20)[-1]
    print(f"{ROUNDS} saves of the sample issue, {len(document.encode()) / 1024:.0f} KB")
    print(
        f"save to new frame: median {median:.0f} ms, 95 % within {worst:.0f} ms, goal {GOAL} ms; "
        f"premailer's defaults alone {baseline:.0f} ms: {median / baseline:.1f} x"
    )


if __name__ == "__main__":
    main()
