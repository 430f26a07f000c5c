"""Check branch coverage of the packages in pyproject.toml: at least 95 %."""

import subprocess
import sys
import tomllib
from pathlib import Path

GATE = 95
PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> int:
    """Print each package's coverage; return 1 if any is below the gate."""
    sources = tomllib.loads(PYPROJECT.read_text())["tool"]["coverage"]["run"]["source"]
    exit_code = 0
    for source in sources:
        folder = source.replace(".", "/")
        command = [
            sys.executable,
            "-m",
            "coverage",
            "report",
            f"--include={folder}/*",
            "--format=total",
        ]
        total = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
        mark = "" if total >= GATE else f"  below {GATE} %"
        print(f"{source:24} {total:3} % of lines and branches{mark}")  # noqa: T201
        exit_code |= total < GATE
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
