"""Change a module in small ways and report the changes that no test notices.

Needs cosmic-ray, which makes the changes: ``pip install cosmic-ray``. Each change is tested in a
forked process that has all libraries loaded already, which takes a tenth of the time of starting
the tests anew.

Usage: python scripts/mutation_test.py newsletter/checks/rules/links.py tests/checks/rules
"""

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import io
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# The opposite, the boundary, or the neighbor; other replacements are caught whenever these are.
_OPERATORS = re.compile(
    r"core/(?:ReplaceComparisonOperator_(?:Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|Gt_GtE|Gt_LtE"
    r"|GtE_Gt|Is_IsNot|IsNot_Is)|ReplaceBinaryOperator_(?:Add_Sub|Sub_Add|Mul_Div|Div_Mul"
    r"|FloorDiv_Mul|Mod_Mul|BitAnd_BitOr)|ReplaceUnaryOperator_(?:Delete_Not|USub_UAdd)|AddNot|ReplaceTrueWithFalse"
    r"|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBreakWithContinue"
    r"|ReplaceContinueWithBreak|ExceptionReplacer|NumberReplacer|ZeroIterationForLoop)"
)
_TIME_FACTOR = 5  # a change that takes longer than this many times the tests has been noticed


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of a module.

    Attributes:
        operator: the name of the kind of change.
        line: 1-based line.
        before: the line before the change.
        after: the line after it.
        source: the whole module after it.
    """

    operator: str
    line: int
    before: str
    after: str
    source: str


class MutatedLoader(importlib.machinery.SourceFileLoader):
    """Loader of a module from another source than that of its file."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        super().__init__(name, str(path))
        self._source = source.encode()

    def get_code(self, fullname: str) -> CodeType:
        """Compile the other source; the cached code is that of the file."""
        return compile(self._source, self.get_filename(fullname), "exec", dont_inherit=True)


class MutatedFinder(importlib.abc.MetaPathFinder):
    """Finder of one module, for its mutated loader."""

    def __init__(self, loader: MutatedLoader) -> None:
        self._loader = loader

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as inherited
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module's spec; ``None`` for every other module."""
        if fullname != self._loader.name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self._loader, origin=self._loader.path)


def find_mutations(path: Path) -> Iterator[Mutation]:
    """Yield every change of a module, but those of a dataclass's options."""
    source = path.read_text()
    lines = source.splitlines()
    for name in operator_names():
        if not _OPERATORS.fullmatch(name):
            continue
        operator = get_operator(name)()
        occurrence = 0
        while (mutated := mutate_code(source, operator, occurrence)) is not None:
            occurrence += 1
            changed = next(
                (
                    (number, before, after)
                    for number, (before, after) in enumerate(
                        zip(lines, mutated.splitlines(), strict=False), start=1
                    )
                    if before != after
                ),
                None,
            )
            if changed and not changed[1].lstrip().startswith("@dataclass"):
                yield Mutation(name.removeprefix("core/"), *changed, mutated)


def run_tests(
    module: str, path: Path, source: str | None, tests: Sequence[str], timeout: float
) -> bool:
    """Run tests in a forked process; return whether all pass.

    Args:
        module: the module's name.
        path: its file.
        source: its source, if not that of the file.
        tests: files or folders.
        timeout: in seconds.
    """
    pid = os.fork()
    if pid == 0:
        _run_in_child(module, path, source, tests)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        finished, status = os.waitpid(pid, os.WNOHANG)
        if finished:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def _run_in_child(module: str, path: Path, source: str | None, tests: Sequence[str]) -> None:
    os.setpgid(0, 0)
    os.environ["CI"] = "true"  # the same examples each time
    for name in list(sys.modules):
        if name.split(".")[0] in {"newsletter", "tests", "conftest"}:
            del sys.modules[name]
    if source is not None:
        sys.meta_path.insert(0, MutatedFinder(MutatedLoader(module, path, source)))
    code = 1
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests])
    finally:
        os._exit(int(code))


def main() -> int:
    """Test all changes of one module; return 1 if fewer are caught than wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("module", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--sample", type=int, default=0, help="test only so many of the changes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--wanted", type=float, default=80, help="percent to be caught")
    options = parser.parse_args()
    name = ".".join(options.module.with_suffix("").parts)
    mutations = list(find_mutations(options.module))
    if options.sample and len(mutations) > options.sample:
        mutations = sorted(
            random.Random(1).sample(mutations, options.sample),  # noqa: S311 - no secret
            key=lambda change: change.line,
        )
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *options.tests])
    started = time.monotonic()
    if not run_tests(name, options.module, None, options.tests, 600):
        sys.stdout.write("the tests fail without any change\n")
        return 2
    timeout = 5 + _TIME_FACTOR * (time.monotonic() - started)

    def is_caught(change: Mutation) -> bool:
        return not run_tests(name, options.module, change.source, options.tests, timeout)

    with ThreadPoolExecutor(options.jobs) as pool:
        caught = list(pool.map(is_caught, mutations))
    for change, was_caught in zip(mutations, caught, strict=True):
        if not was_caught:
            sys.stdout.write(
                f"{options.module}:{change.line}: {change.operator}\n"
                f"  - {change.before.strip()}\n  + {change.after.strip()}\n"
            )
    percent = 100 * sum(caught) / max(1, len(caught))
    sys.stdout.write(
        f"{options.module}: {sum(caught)} of {len(caught)} changes caught ({percent:.0f} %)\n"
    )
    return 0 if percent >= options.wanted else 1


if __name__ == "__main__":
    sys.exit(main())
