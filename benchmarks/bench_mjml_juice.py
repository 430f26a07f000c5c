"""The whole rendering chain on the sample issue, against npm's ``mjml`` and ``juice``.

Ours goes from post.md to the HTML and the text part. The baseline gets the same MJML, filled, with
the article in its place, and the same CSS to inline: it reads no Markdown, highlights no code, runs
no template and writes no text part. Both are warm and run by turns.

Needs Node, and both packages installed in the working directory: ``npm install mjml juice``.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

from newsletter.config.load import load_config
from newsletter.config.models import Config
from newsletter.posts.read_issue import read_issue
from newsletter.render.css.inline import inline_css
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.mjml.compile import compile_mjml, insert_article
from newsletter.render.template.loader import Templates, load_templates

ROOT = Path(__file__).parent.parent
ISSUE = ROOT / "issues/2026-11-22-reading-the-tide"
PEER = Path(__file__).with_name("mjml_juice.mjs")
ROUNDS = 200
WARM_UP = 30
GOAL = 0.85


def capture_input(config: Config, templates: Templates) -> dict[str, str]:
    """Return the filled MJML with the article in its place, and the CSS to inline."""
    seen: dict[str, str] = {}

    def capture_mjml(text: str, *args: object, **options: object) -> object:
        seen["mjml"] = text
        return compile_mjml(text, *args, **options)  # type: ignore[arg-type]

    def capture_article(html: str, marker: str, article: str) -> str:
        seen["mjml"] = seen["mjml"].replace(marker, article)
        return insert_article(html, marker, article)

    def capture_css(html: str, css: str, *args: object) -> str:
        seen["css"] = css
        return inline_css(html, css, *args)  # type: ignore[arg-type]

    with (
        patch("newsletter.render.template.compile.compile_mjml", capture_mjml),
        patch("newsletter.render.issue.insert_article", capture_article),
        patch("newsletter.render.template.compile.inline_css", capture_css),
    ):
        render_issue(read_issue(ISSUE, config), templates, config)
    return seen


def main() -> int:
    node = shutil.which("node")
    if not node:
        print("node is not installed: nothing compared")
        return 0
    config = load_config(ROOT / "newsletter.yml", {})
    templates = load_templates(ROOT / "templates")
    found = capture_input(config, templates)

    def run_chain() -> Email:
        return render_issue(read_issue(ISSUE, config), templates, config)

    with subprocess.Popen(
        [node, str(PEER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as peer:
        if not peer.stdin or not peer.stdout or not peer.stderr:
            raise RuntimeError("no pipes")
        peer.stdin.write(json.dumps(found) + "\n")
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        size = 0
        for turn in range(WARM_UP + ROUNDS):
            try:
                peer.stdin.write("run\n")
                peer.stdin.flush()
                answer = peer.stdout.readline().split()
            except BrokenPipeError:
                answer = []
            if not answer:
                print("mjml and juice can't be run here: npm install mjml juice")
                print(peer.stderr.read().strip().partition("\n")[0])
                return 0

            cpu, wall = time.process_time(), time.perf_counter()
            email = run_chain()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if turn >= WARM_UP:
                ours.append((cpu * 1000, wall * 1000))
                theirs.append((float(answer[0]), float(answer[1])))
                size = int(answer[2])
        peer.stdin.close()
    print(f"medians of {ROUNDS}, warm, by turns; ours {len(email.html.encode()):,} bytes of HTML")
    for index, name in enumerate(("CPU", "wall")):
        chain = statistics.median(times[index] for times in ours)
        baseline = statistics.median(times[index] for times in theirs)
        print(
            f"{name:4}: mjml + juice {baseline:5.1f} ms ({size:,} bytes), whole chain {chain:5.1f} "
            f"ms: {chain / baseline:.2f} x, goal {GOAL} x"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
