"""From saving a post to the new mail in Chromium's frame: the whole chain of the preview.

The clock starts when the file is written and stops when the frame that holds the new words has been
painted (the page's own clock, two frames later). The baseline is one step of ours: the same mail
rendered with premailer's default options, warm, in a process of its own, since ours alters it.
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
SEEN = """(words) => new Promise((resolve) => {
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
        page.evaluate(f"(words) => {{ window.seen = ({SEEN})(words); }}", words)
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


def plain_premailer(document: str) -> float:
    run = subprocess.run(
        [sys.executable, "-c", BASELINE], input=document, capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def copied(to: Path) -> Path:
    shutil.copyfile(ROOT / "newsletter.yml", to / "newsletter.yml")
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, to / name)
    return to


def main() -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as work, open_preview_socket(0) as taken:
        folder = copied(Path(work).resolve())
        project = open_project(folder)
        desk = PreviewWorkspace(project)
        proof = desk.get_state(ISSUE).rendering
        assert proof
        document = proof.email.html
        baseline = plain_premailer(document)
        server = PreviewServer(desk, ISSUE, taken)
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
    middle = statistics.median(times)
    worst = statistics.quantiles(times, n=20)[-1]
    print(f"{ROUNDS} saves of the sample issue, {len(document.encode()) / 1024:.0f} KB")
    print(
        f"save to new frame: median {middle:.0f} ms, 95 % within {worst:.0f} ms, goal {GOAL} ms; "
        f"premailer's defaults alone {baseline:.0f} ms: {middle / baseline:.1f} x"
    )


if __name__ == "__main__":
    main()
