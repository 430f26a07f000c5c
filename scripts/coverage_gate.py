"""Branch coverage of the rooms where a mistake reaches readers: at least 95 % each."""

import subprocess
import sys

GATE = 95
ROOMS = ("events", "render", "sending", "subscribers")


def main() -> int:
    """Print each room's coverage; 1 if one is below the gate."""
    worst = 0
    for room in ROOMS:
        command = [
            sys.executable, "-m", "coverage", "report",
            f"--include=newsletter/{room}/*", "--format=total",
        ]  # fmt: skip
        total = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
        mark = "" if total >= GATE else f"  below {GATE} %"
        print(f"{room:12} {total:3} % of lines and branches{mark}")  # noqa: T201
        worst |= total < GATE
    return worst


if __name__ == "__main__":
    sys.exit(main())
