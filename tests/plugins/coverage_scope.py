"""Limit coverage measurement to the tests where it is worth its cost.

Measuring branch coverage triples the time of a test. The packages that pyproject.toml names are
measured while they are imported and while their own tests run, and ``sending`` while those of the
commands that send run. Collecting the tests is not measured, nor the process that hands them out.
Excluded are tests that run the same lines again: the PostgreSQL run of a test that also runs on
SQLite, property tests, which run them a hundred times, and some slow files that run hardly a line
that no others run. ``MEASURE=all`` measures every test.
"""

import importlib
import os
import pkgutil
import tomllib
from collections.abc import Generator
from functools import cache
from pathlib import Path

import coverage
import pytest
from hypothesis import is_hypothesis_test

ROOT = Path(__file__).parents[2]
# Through this variable coverage.py measures the processes that a test starts.
SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"
# The slowest tests: started early, so that no worker is left with one of them at the end.
LONGEST = (
    "faults/",
    "worker/",
    "sending/delivery/test_invariants",
    "test_docs",
    "cli/send/test_rehearse",
    "cli/send/test_hangup",
)
# Slow, and of the branches that they run others run all but 18; ``--cov-context=test`` shows it.
REPEATING = (
    "cli/send/test_due",
    "cli/send/test_hangup",
    "cli/send/test_notifications",
    "cli/send/test_schedule",
    "render/test_digest",
    "reports/test_report.py",
    "sending/ledger/test_copied_database",
    "sending/planning/test_dry_run.py::test_memory_use",
    "sending/planning/test_proposal",
    "sending/planning/test_repeated_article",
    "sending/test_service",
    "subscribers/queries/test_explain",
)


class CoverageSwitch:
    """Plugin that runs the measured tests first, then the slowest, and switches measuring off."""

    def __init__(self) -> None:
        self._stopped: coverage.Coverage | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        if session.config.pluginmanager.has_plugin("dsession"):  # the process with the workers
            self._stop()
        elif coverage.Coverage.current() and not measures_all():
            for package in measured_packages():
                import_modules(package)
            self._stop()
        return (yield)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # The tests of the package share what is slow to make, so one worker gets them: the first.
        items.sort(
            key=lambda item: (
                not item.get_closest_marker("package"),
                not is_measured(item),
                not is_long(item),
            )
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        if is_measured(item):
            self._start()
        else:
            self._stop()
        return (yield)

    def _start(self) -> None:
        if self._stopped:
            self._stopped.start()  # also sets the variable
            self._stopped = None

    def _stop(self) -> None:
        # A worker has two: that of pytest-cov, and one started because it is a subprocess.
        while current := coverage.Coverage.current():
            self._stopped = self._stopped or current
            current.stop()
        os.environ.pop(SUBPROCESSES, None)


@cache
def measured_packages() -> tuple[str, ...]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return tuple(settings["tool"]["coverage"]["run"]["source"])


@cache
def measured_folders() -> tuple[str, ...]:
    folders = (f"tests/{source.rpartition('.')[2]}/" for source in measured_packages())
    return ("tests/cli/send/", *folders)


def import_modules(package: str) -> None:
    """Import a package with all of its modules, whose own lines run only then."""
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, f"{package}."):
        importlib.import_module(module.name)


def measures_all() -> bool:
    return os.environ.get("MEASURE") == "all"


def is_measured(item: pytest.Item) -> bool:
    if measures_all():
        return True
    if item.get_closest_marker("property") or is_hypothesis_test(getattr(item, "obj", None)):
        return False
    if item.nodeid.removeprefix("tests/").startswith(REPEATING):
        return False
    return "[postgresql" not in item.nodeid and item.nodeid.startswith(measured_folders())


def is_long(item: pytest.Item) -> bool:
    return item.nodeid.removeprefix("tests/").startswith(LONGEST)


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(CoverageSwitch())
