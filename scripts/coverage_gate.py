"""Check branch coverage of the packages in pyproject.toml: at least 95 %."""

import io
import sys
import tomllib
from pathlib import Path

import coverage

GATE = 95
PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> int:
    """Print each package's coverage; return 1 if any is below the gate."""
    sources = tomllib.loads(PYPROJECT.read_text())["tool"]["coverage"]["run"]["source"]
    measured = coverage.Coverage()
    measured.load()
    exit_code = 0
    for source in sources:
        printed = io.StringIO()
        folder = source.replace(".", "/")
        measured.report(include=[f"{folder}/*"], output_format="total", file=printed)
        total = int(printed.getvalue())
        mark = "" if total >= GATE else f"  below {GATE} %"
        print(f"{source:24} {total:3} % of lines and branches{mark}")  # noqa: T201
        exit_code |= total < GATE
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
