"""`make audit`: what could not be looked up is never reported as free of vulnerabilities."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "audit.py"
UNREACHABLE = "No database of vulnerabilities could be reached"
SAFE = {"name": "click", "version": "8.3.1", "vulns": []}
SKIPPED = {"name": "sendgrid", "skip_reason": "Dependency not found on PyPI"}
VULNERABLE = {
    "name": "urllib3",
    "version": "2.8.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.8.1"]}],
}
FOUND = "urllib3 2.8.0: PYSEC-1 CVE-1: mended in 2.8.1"


def audit(folder: Path, pypi: Any, osv: Any) -> tuple[int, str]:
    """Ask a pip-audit that answers so for each database; ``None`` if it fails."""
    for name, packages in (("pypi", pypi), ("osv", osv)):
        answer = "oh no" if packages is None else json.dumps({"dependencies": packages})
        (folder / name).write_text(answer)
    program = folder / "pip-audit"
    program.write_text(
        f'#!/bin/sh\nwhile [ "$1" != --vulnerability-service ]; do shift; done\ncat "{folder}/$2"\n'
    )
    program.chmod(0o700)
    script = runpy.run_path(str(SCRIPT))
    result: tuple[int, str] = script["describe_audit"](
        script["run_audit"](str(program), Path("requirements.lock")), "requirements.lock"
    )
    return result


@pytest.mark.parametrize(
    ("pypi", "osv", "code", "said"),
    [
        ([SAFE], None, 0, "0 of the 1 packages looked up have known vulnerabilities"),
        (None, [SAFE], 0, "0 of the 1 packages"),
        ([SKIPPED], [SAFE], 0, "0 of the 1 packages"),
        ([SAFE, VULNERABLE], [SAFE], 1, FOUND),
        ([SAFE, SKIPPED], None, 3, "Not looked up (1): sendgrid"),
        ([SAFE, SKIPPED], [SKIPPED, SKIPPED], 3, "0 of the 1 packages"),
        ([VULNERABLE, SKIPPED], None, 1, "Not looked up (1): sendgrid"),
        # As behind a mirror: pip-audit itself says that there are no known vulnerabilities.
        ([SKIPPED, SKIPPED], None, 3, UNREACHABLE),
        (None, None, 3, UNREACHABLE),
    ],
)
def test_only_what_was_looked_up_is_safe(
    tmp_path: Path, pypi: Any, osv: Any, code: int, said: str
) -> None:
    exit_code, text = audit(tmp_path, pypi, osv)
    assert (exit_code, said in text) == (code, True), text
