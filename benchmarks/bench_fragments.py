"""Hostile posts: 200 kB of one repeated fragment, through import, build, check and the preview.

Every delimiter of Markdown, HTML and the template languages, alone; with ``BENCH_PAIRS=500`` also
so many pairs of them, drawn at random (``BENCH_SEED``). Prints each run on standard error as it
ends, then the slowest by CPU time, against plain prose of the same size in the same run; Ctrl+C
prints the slowest so far. A post is to be imported within 2 s, or refused.
"""

import contextlib
import io
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from newsletter.cli.main import main as run_command
from newsletter.preview.api import build_email_html, build_state_data, parse_view_options
from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.project import open_project

SIZE = int(os.environ.get("BENCH_BYTES", "200000"))
PAIRS = int(os.environ.get("BENCH_PAIRS", "0"))
SEED = int(os.environ.get("BENCH_SEED", "1"))
COMMANDS = os.environ.get("BENCH_COMMANDS", "import build check preview").split()
SUFFIXES = os.environ.get("BENCH_SUFFIXES", "md html").split()
LIMIT_SECONDS = int(os.environ.get("BENCH_LIMIT", "20"))
SHOWN = int(os.environ.get("BENCH_SHOWN", "10"))
PROSE = "The ice let go on a Tuesday, all at once, and nobody had heard it. "
_WORDS = r"""
    * _ ** ~ ~~ == ` `` [ ] ![ ]( ](x) [^a] < > <a <a> </a> <b> <p> <div> <!-- --> <![CDATA[ ]]>
    <? ?> <! & &# &amp $ $$ \( \[ { } {{ {% %} }} {:.a} {.a} {#a} : :: :// http:// www. @ a@b
    mailto: | |- + \ " ' ... -- ( ) (( ! ^ % / // a ; = <br> <br/> <table> <tr> <td> <ul><li>
    <pre> <code> <script> <style> <svg> <math> </p> </ <td a= a=" a=' <noscript> <iframe> <span>
    <details> <blockquote> <select> <template> <form> [x](y) ![x](y) [[ ]] [!NOTE] <% %>
    [gallery] [caption <h1>x</h1>
"""
FRAGMENTS = (
    *_WORDS.split(),
    "\xe9", "\u4e2d", "\u200b", "\U0001f600", "```\n", "[^a]: ", "[a]: ", "<a ", "<img ",
    "<img src=x>", "{{ x }}", ":::\n", "|a|\n", "- ", "1. ", "> ", "# ", "=\n", "-\n", "\n", "\n\n",
    "\t", "    ", "a ", "\r", "+++\n", "---\n", "***\n", "]({{ x }}", "!!! a\n",
)  # fmt: skip


class Run(NamedTuple):
    """One command on one post, with its CPU time in seconds and how it ended."""

    seconds: float
    command: str
    suffix: str
    fragment: str
    outcome: str


class TooLongError(Exception):
    """A command took longer than the limit."""


def stop(_: int, __: FrameType | None) -> None:
    """Interrupt a command."""
    raise TooLongError


def run(arguments: list[str]) -> str:
    """Run a command; return how it ended."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_SECONDS)
            if arguments == ["preview"]:
                return show_preview()
            run_command(arguments)
        except TooLongError:
            return "stopped"
        except SystemExit as exit_:
            return "ok" if not exit_.code else output.getvalue().strip().rpartition("\n")[2][:60]
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "ok"


def show_preview() -> str:
    """Render the issue as the preview server does; return how it ended."""
    workspace = PreviewWorkspace(open_project(Path.cwd()))
    state = workspace.get_state(next(Path("issues").glob("2*")).name)
    build_state_data(state)
    if state.rendering is None:
        return state.problems[0].message[:60]
    options = parse_view_options({}, state.rendering.config, None)
    build_email_html(state.rendering, options)
    return "ok"


def measure(suffix: str, fragment: str) -> Iterator[Run]:
    """Yield the commands on one post."""
    body = fragment * (SIZE // len(fragment.encode()))
    text = (
        f"---\ntitle: The ice\ndate: 2026-12-01\n---\n{PROSE}\n\n{body}\n"
        if suffix == "md"
        else f"<title>The ice</title><article><p>{PROSE}</p>{body}</article>"
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run(["init", "."])
        Path(f"post.{suffix}").write_text(text, encoding="utf-8", newline="")
        for command in (
            ["import", f"post.{suffix}", "--date", "2026-12-01"],
            ["build"],
            ["check"],
            ["preview"],
        ):
            if command[0] not in COMMANDS:
                continue
            started = time.process_time()
            outcome = run(command)
            yield Run(time.process_time() - started, command[0], suffix, fragment, outcome)
            if not any(Path("issues").glob("2*")):
                return


def main() -> None:
    signal.signal(signal.SIGVTALRM, stop)
    fragments = list(FRAGMENTS)
    pairs = ["".join(pair) for pair in itertools.permutations(FRAGMENTS, 2)]
    fragments += random.Random(SEED).sample(pairs, min(PAIRS, len(pairs)))  # noqa: S311 - no secret
    for suffix in SUFFIXES:
        list(measure(suffix, PROSE))  # loads what is loaded once
    baseline = {
        (entry.command, suffix): entry.seconds
        for suffix in SUFFIXES
        for entry in measure(suffix, PROSE)
    }

    def describe(entry: Run) -> str:
        ratio = entry.seconds / baseline[entry.command, entry.suffix]
        return (
            f"{entry.seconds:6.2f} s  {ratio:5.1f} x prose  {entry.command:<7} .{entry.suffix:<5} "
            f"{entry.fragment!r:<14} {entry.outcome}"
        )

    runs: list[Run] = []
    try:
        for fragment in fragments:
            for suffix in SUFFIXES:
                for entry in measure(suffix, fragment):
                    runs.append(entry)
                    print(describe(entry), file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    for entry in sorted(runs, reverse=True)[:SHOWN]:
        print(describe(entry))


if __name__ == "__main__":
    main()
