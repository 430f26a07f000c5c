"""Cold start: `newsletter build` of the sample issue, against npm's ``mjml`` and ``juice``.

Both are new processes, by turns. The baseline gets the same MJML, filled, with the article in its
place, and the same CSS to inline, as in bench_mjml_juice.py: it reads no Markdown, runs no template
and writes no text part, no ``.eml`` and no list of what was lost.

Needs Node, and both packages installed in the working directory: ``npm install mjml juice``.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench_mjml_juice import PEER, ROOT, capture_input
from benchmarks.cold_process import Command, installed_environment, measure_by_turns
from newsletter.config.load import load_config
from newsletter.render.template.loader import load_templates

ROUNDS = 15
GOAL = 1.0
BUILD = "import sys; from newsletter.cli.main import main; sys.exit(main(['build']))"
MODULES = "import sys, newsletter.cli.main as m; m.run_cli(['build']); print(len(sys.modules))"


def main() -> None:
    with TemporaryDirectory() as name, installed_environment() as environment:
        folder = Path(name)
        for source in ("newsletter.yml", "issues", "templates"):
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, folder / source)
        commands = [Command([sys.executable, "-c", BUILD], folder)]
        if baseline := find_baseline():
            commands.append(baseline)
        ours, *others = measure_by_turns(commands, ROUNDS, environment)
        modules = subprocess.check_output(
            [sys.executable, "-c", MODULES], cwd=folder, env=environment
        ).split()[-1]
    print(f"medians of {ROUNDS}, new processes, by turns; {int(modules)} modules imported")
    print(f"newsletter build        CPU {ours.cpu:6.1f} ms  wall {ours.wall:6.1f} ms")
    for theirs in others:
        print(
            f"mjml + juice            CPU {theirs.cpu:6.1f} ms  wall {theirs.wall:6.1f} ms\n"
            f"ratio                   CPU {ours.cpu / theirs.cpu:6.2f} x   "
            f"wall {ours.wall / theirs.wall:6.2f} x   goal {GOAL} x"
        )


def find_baseline() -> Command | None:
    """Return one run of mjml and juice; say what is missing if it can't be had."""
    node = shutil.which("node")
    if not node:
        print("node is not installed: nothing compared")
        return None
    config = load_config(ROOT / "newsletter.yml", {})
    found = capture_input(config, load_templates(ROOT / "templates"))
    command = Command([node, str(PEER)], Path.cwd(), json.dumps(found) + "\nrun\n")
    tried = subprocess.run(
        command.arguments,
        input=command.standard_input,
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode or not tried.stdout:
        print("mjml and juice can't be run here: npm install mjml juice")
        return None
    return command


if __name__ == "__main__":
    main()
