"""Dockerfile and .dockerignore: the rules of hadolint and of this project that matter."""

import importlib.metadata
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"
# Where Compose files that are printed, and the documentation, expect things.
FOLDER, USER = "/srv/newsletter", "10001:10001"

Instruction = tuple[str, str]


def parse_instructions() -> list[Instruction]:
    """Return each instruction and its arguments, with continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in joined.split("\n") if line]


@pytest.fixture(scope="module")
def instructions() -> list[Instruction]:
    return parse_instructions()


@pytest.fixture(scope="module")
def final_stage(instructions: list[Instruction]) -> dict[str, str]:
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return dict(instructions[last:])


def test_base_images_are_slim_and_of_a_fixed_version(instructions: list[Instruction]) -> None:
    images = [arguments.split()[0] for name, arguments in instructions if name == "FROM"]
    assert len(images) > 1
    # No host name: the registry is whatever the builder's machine has.
    assert all(re.fullmatch(r"python:3\.\d+-slim", image) for image in images)


def test_server_runs_as_a_user_who_owns_only_the_newsletters_folder(
    final_stage: dict[str, str],
) -> None:
    assert final_stage["USER"] == USER
    assert final_stage["VOLUME"] == final_stage["WORKDIR"] == FOLDER
    assert f"--uid {USER.partition(':')[0]}" in final_stage["RUN"]
    assert "chown" not in final_stage["COPY"]


def test_server_has_a_health_check_of_the_page_that_it_serves(final_stage: dict[str, str]) -> None:
    assert "http://127.0.0.1:8000/readyz" in final_stage["HEALTHCHECK"]
    assert re.fullmatch(
        r'\["serve", "--host", "0\.0\.0\.0", "--port", "8000"\]', final_stage["CMD"]
    )
    assert final_stage["ENTRYPOINT"] == '["newsletter"]'


def test_no_secret_is_in_the_image(instructions: list[Instruction]) -> None:
    settings = [arguments for name, arguments in instructions if name in {"ENV", "ARG"}]
    assert not [text for text in settings if re.search(r"KEY|PASSWORD|SECRET|TOKEN|DATABASE", text)]
    assert "ADD" not in dict(instructions)


def test_packages_come_from_the_locks_only(instructions: list[Instruction]) -> None:
    commands = [text for name, text in instructions if name == "RUN"]
    installs = [
        part
        for text in commands
        for part in text.split("&&")
        if re.search(r"pip (?:install|wheel)", part)
    ]
    assert installs
    assert all("--no-deps" in command for command in installs)
    assert sum(text.count("./install-locked /opt/newsletter/bin/python") for text in commands) == 2


def find_requirements(requirements: list[str]) -> set[str]:
    """Return the packages that these need, and those that they need in turn."""
    found: set[str] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.add(name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                needed = importlib.metadata.requires(name) or []
                waiting += [(Requirement(text), wanted) for text in needed]
    return found


def test_what_postgresql_needs_is_picked_from_the_development_lock(
    instructions: list[Instruction], tmp_path: Path
) -> None:
    [command] = [
        match[0]
        for name, text in instructions
        if name == "RUN" and (match := re.search(r"awk .* > postgres\.lock", text))
    ]
    shutil.copy(ROOT / "requirements-dev.lock", tmp_path)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    lock = (tmp_path / "postgres.lock").read_text()
    names = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = find_requirements(settings["optional-dependencies"]["postgres"])
    assert {"procrastinate", "psycopg-binary", "psycopg-pool"} <= needed
    runtime = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert set(names) == needed - set(runtime)
    assert lock.count("--hash=sha256:") > len(names)


def test_what_is_copied_is_not_ignored_and_nothing_else_is_sent(
    instructions: list[Instruction],
) -> None:
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert patterns[0] == "*"
    allowed = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    copied = {
        source
        for name, text in instructions
        if name == "COPY" and not text.startswith("--from")
        for source in text.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)
    for private in (".env", ".git", "newsletter.db", "newsletter.yml", "issues"):
        assert not any(fnmatch(private, pattern) for pattern in allowed)


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: only the rules above were checked")
    completed = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout) == (0, "")
