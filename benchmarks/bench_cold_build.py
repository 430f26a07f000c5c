"""Cold start: wall time of `newsletter build` on the sample issue."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROUNDS = 11
GOAL_MS = 600


def measure_wall_time(code: str, folder: str) -> float:
    """Return the milliseconds that a new interpreter takes to run ``code``."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    baseline = "import premailer"
    ours = "import sys; from newsletter.cli.main import main; sys.exit(main(['build']))"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("newsletter.yml", "issues", "templates"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder) / name)
        # Once unmeasured, so that byte code is compiled and files are in the page cache.
        for code in (baseline, ours):
            measure_wall_time(code, folder)
        # Interleaved, so that load on the machine affects both.
        times = [
            (measure_wall_time(baseline, folder), measure_wall_time(ours, folder))
            for _ in range(ROUNDS)
        ]
    premailer_ms, build_ms = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"python -c 'import premailer'  {premailer_ms:6.1f} ms  (median of {ROUNDS})")
    print(
        f"newsletter build              {build_ms:6.1f} ms  {build_ms / premailer_ms:.2f} x  "
        f"goal {GOAL_MS} ms"
    )


if __name__ == "__main__":
    main()
