"""Start-up: wall time of `newsletter --help`, against `import click`."""

import statistics
import subprocess
import sys
import time

ROUNDS = 30
GOAL = 1.5


def measure_wall_time(code: str) -> float:
    """Return the milliseconds that a new interpreter takes to run ``code``."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    baseline = "import click"
    ours = "import sys; from newsletter.cli.main import main; sys.exit(main(['--help']))"
    # Once unmeasured, so that byte code is compiled and files are in the page cache.
    for code in (baseline, ours):
        measure_wall_time(code)
    # Interleaved, so that load on the machine affects both.
    times = [(measure_wall_time(baseline), measure_wall_time(ours)) for _ in range(ROUNDS)]
    click_ms, help_ms = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"python -c 'import click'  {click_ms:6.1f} ms  (median of {ROUNDS})")
    print(f"newsletter --help         {help_ms:6.1f} ms  {help_ms / click_ms:.2f} x  goal {GOAL} x")


if __name__ == "__main__":
    main()
