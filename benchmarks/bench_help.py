"""Start-up: `newsletter --help` as a new process, against `import click`, by turns."""

import sys
from pathlib import Path

from benchmarks.cold_process import Command, installed_environment, measure_by_turns

ROUNDS = 30
GOAL = 1.3
BASELINE = "import click"
HELP = "import sys; from newsletter.cli.main import main; sys.exit(main(['--help']))"


def main() -> None:
    commands = [Command([sys.executable, "-c", code], Path.cwd()) for code in (BASELINE, HELP)]
    with installed_environment() as environment:
        click, ours = measure_by_turns(commands, ROUNDS, environment)
    print(f"medians of {ROUNDS}, new processes, by turns")
    print(f"python -c 'import click'  CPU {click.cpu:6.1f} ms  wall {click.wall:6.1f} ms")
    print(
        f"newsletter --help         CPU {ours.cpu:6.1f} ms  wall {ours.wall:6.1f} ms  "
        f"{ours.cpu / click.cpu:.2f} x  goal {GOAL} x"
    )


if __name__ == "__main__":
    main()
