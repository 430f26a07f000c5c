"""Change a module in small ways and report the changes that no test notices.

Needs cosmic-ray, which makes the changes: ``pip install cosmic-ray``. Each change is tested in a
forked process that has all libraries loaded already, which takes a tenth of the time of starting
the tests anew.

A database server of a child outlives a change that is stopped: ``--select "not postgresql"``.

Usage: python scripts/mutation_test.py newsletter/checks/rules/links.py tests/checks/rules
       python scripts/mutation_test.py --sample 50    (the modules where a mistake costs most)
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
import tempfile
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
_IGNORED = re.compile(r"\s*(?:@dataclass|\*,$)")
_FRONT_MATTER = ("tests/posts/front_matter", "tests/posts/test_read_issue.py")
# Where a mistake costs most: each module with the tests that are to notice it.
_TARGETS: dict[str, tuple[str, ...]] = {
    "newsletter/checks/rules/links.py": ("tests/checks/rules",),
    "newsletter/checks/rules/images.py": ("tests/checks/rules",),
    "newsletter/checks/rules/content.py": ("tests/checks/rules",),
    "newsletter/render/article/images.py": ("tests/render/article",),
    "newsletter/render/text/table.py": ("tests/render/text",),
    "newsletter/posts/front_matter/parse.py": _FRONT_MATTER,
    "newsletter/config/safe_yaml.py": ("tests/config", *_FRONT_MATTER),
    "newsletter/posts/front_matter/schema.py": _FRONT_MATTER,
    "newsletter/posts/front_matter/compile.py": _FRONT_MATTER,
    "newsletter/web/subscriber/unsubscribe.py": ("tests/web/subscriber",),
    "newsletter/events/apply.py": ("tests/events", "tests/sending/feedback"),
    "newsletter/sending/delivery/claim.py": (
        "tests/sending/delivery/test_claim.py",
        "tests/sending/delivery/test_hourly_limit.py",
    ),
}
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
    """Yield every change of a module that compiles.

    Without changes of a dataclass's options, and of the ``*`` before keyword-only parameters.
    """
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
            if changed and not _IGNORED.match(changed[1]) and _compiles(mutated):
                yield Mutation(name.removeprefix("core/"), *changed, mutated)


def _compiles(source: str) -> bool:
    try:
        compile(source, "<change>", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


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
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        pid = os.fork()
        if pid == 0:
            _run_in_child(module, path, source, [*tests, f"--basetemp={folder}/tests"])
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
    own_folders = tuple(str(Path(name).resolve()) + os.sep for name in ("newsletter", "tests"))
    for name, loaded in list(sys.modules.items()):
        if (getattr(loaded, "__file__", None) or "").startswith(own_folders):
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


def measure_module(path: Path, tests: Sequence[str], sample: int, seed: int, jobs: int) -> float:
    """Test the changes of one module, print those that no test notices; return the caught share.

    Args:
        path: the module.
        tests: files or folders.
        sample: how many changes to test; 0 for all.
        seed: selects the sample.
        jobs: how many processes at a time.
    """
    name = ".".join(path.with_suffix("").parts)
    mutations = list(find_mutations(path))
    if sample and len(mutations) > sample:
        chosen = random.Random(seed).sample(mutations, sample)  # noqa: S311 - no secret
        mutations = sorted(chosen, key=lambda change: change.line)
    started = time.monotonic()
    if not run_tests(name, path, None, tests, 600):
        raise SystemExit(f"{' '.join(tests)}: the tests fail without any change")
    timeout = 5 + _TIME_FACTOR * (time.monotonic() - started)

    def is_caught(change: Mutation) -> bool:
        return not run_tests(name, path, change.source, tests, timeout)

    caught_count = 0
    with ThreadPoolExecutor(jobs) as pool:
        for change, was_caught in zip(mutations, pool.map(is_caught, mutations), strict=True):
            caught_count += was_caught
            if not was_caught:
                sys.stdout.write(
                    f"{path}:{change.line}: {change.operator}\n"
                    f"  - {change.before.strip()}\n  + {change.after.strip()}\n"
                )
                sys.stdout.flush()
    total = len(mutations)
    share = caught_count / max(1, total)
    sys.stdout.write(f"{path}: {caught_count} of {total} changes caught ({share:.0%})\n")
    sys.stdout.flush()
    return share


def main() -> int:
    """Test the changes of the modules; return 1 if fewer are caught than wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("module", nargs="?", help="such as newsletter/checks/rules/links.py")
    parser.add_argument("tests", nargs="*", help="files or folders")
    parser.add_argument("--sample", type=int, default=0, help="test so many of a module's changes")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--select", default="", help="run these of the tests, as pytest -k does")
    parser.add_argument("--wanted", type=float, default=80, help="percent to be caught")
    options = parser.parse_args()
    targets = dict(_TARGETS)
    if options.module:
        tests = tuple(options.tests) or _TARGETS.get(options.module)
        if not tests:
            parser.error(f"name the tests of {options.module}")
        targets = {options.module: tests}
    if options.select:
        targets = {name: (*tests, "-k", options.select) for name, tests in targets.items()}
    for tests in set(targets.values()):  # loads the libraries
        with contextlib.redirect_stdout(io.StringIO()):
            pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *tests])
    shares = [
        measure_module(Path(module), tests, options.sample, options.seed, options.jobs)
        for module, tests in targets.items()
    ]
    return int(min(shares) * 100 < options.wanted)


if __name__ == "__main__":
    sys.exit(main())
