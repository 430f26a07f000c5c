"""Look up the packages of requirements.lock in databases of known vulnerabilities.

Runs pip-audit, whose path is the argument. It exits with 0 even if it could look up no package, as
behind a mirror that serves no vulnerabilities; here that is no success.

Exits with 0 if every package was looked up and none has a known vulnerability, with 1 if one has,
and with 3 if some could not be looked up.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

LOCK = Path(__file__).parent.parent / "requirements.lock"
# The database of PyPI itself, and one that other registries' mirrors do not hide: osv.dev.
SERVICES = ("pypi", "osv")


class Audit(NamedTuple):
    """What a database knows of the lock's packages.

    Attributes:
        looked_up: how many packages it was asked about successfully.
        unknown: the packages that could not be looked up.
        vulnerable: package and version -> the vulnerabilities, each with the versions that mend it.
    """

    looked_up: int
    unknown: tuple[str, ...]
    vulnerable: Mapping[str, tuple[str, ...]]


def parse_audit(text: str) -> Audit:
    """Parse pip-audit's JSON.

    Args:
        text: an object whose ``dependencies`` are each ``{"name", "version", "vulns"}``, or
            ``{"name", "skip_reason"}`` if it could not be looked up.

    Raises:
        ValueError: it is no such JSON.
    """
    data = json.loads(text)
    try:
        packages: list[dict[str, Any]] = data["dependencies"]
        return Audit(
            sum("vulns" in package for package in packages),
            tuple(package["name"] for package in packages if "vulns" not in package),
            {
                f"{package['name']} {package['version']}": tuple(map(_describe, package["vulns"]))
                for package in packages
                if package.get("vulns")
            },
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"unexpected JSON: {error}") from None


def _describe(vulnerability: Mapping[str, Any]) -> str:
    names = (vulnerability["id"], *vulnerability.get("aliases", ()))
    mended = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
    return f"{' '.join(names)}: mended in {mended}"


def run_audit(program: str, lock: Path) -> Audit | None:
    """Ask one database after the other; return ``None`` if none could be reached."""
    best = None
    for service in SERVICES:
        command = [
            program, "--requirement", str(lock), "--require-hashes", "--disable-pip",
            "--vulnerability-service", service, "--format", "json", "--progress-spinner", "off",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        try:
            audit = parse_audit(done.stdout)
        except ValueError:
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            sys.stderr.write(f"{service}: {reason[:200]}\n")
            continue
        if not audit.unknown:
            return audit
        if audit.looked_up and (best is None or audit.looked_up > best.looked_up):
            best = audit
    return best


def describe_audit(audit: Audit | None, lock: str) -> tuple[int, str]:
    """Return the exit code, and what to print."""
    if audit is None:
        return 3, (
            "No database of vulnerabilities could be reached: "
            f"no package of {lock} was looked up.\n"
            "Run it again on a machine that reaches pypi.org or osv.dev."
        )
    lines = [
        f"{package}: {vulnerability}"
        for package, vulnerabilities in audit.vulnerable.items()
        for vulnerability in vulnerabilities
    ]
    found = f"{len(audit.vulnerable)} of the {audit.looked_up} packages looked up have known"
    lines.append(f"{lock}: {found} vulnerabilities.")
    if audit.unknown:
        lines.append(f"Not looked up ({len(audit.unknown)}): {', '.join(audit.unknown)}")
    return 1 if audit.vulnerable else 3 if audit.unknown else 0, "\n".join(lines)


if __name__ == "__main__":
    exit_code, text = describe_audit(run_audit(sys.argv[1], LOCK), LOCK.name)
    sys.stdout.write(text + "\n")
    sys.exit(exit_code)
