"""The file of a plan: written once, read strictly."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from approval_fields import FIELDS, ONE

from newsletter.errors import FileWriteError, SendRefusedError
from newsletter.sending.approval.approval_plan import ApprovalPlan
from newsletter.sending.approval.plan_file import (
    MAX_BYTES,
    read_approval_plan,
    write_approval_plan,
)

PLAN = ApprovalPlan(**FIELDS)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("plan.json")


def test_plan_is_read_as_it_was_written(path: Path) -> None:
    assert write_approval_plan(path, PLAN) is True
    assert read_approval_plan(path) == PLAN
    assert path.read_text().startswith('{\n  "newsletter_plan": 1,\n')


def test_same_plan_of_another_day_is_not_written_again(path: Path) -> None:
    write_approval_plan(path, PLAN)
    before = path.read_bytes()
    later = PLAN.model_copy(update={"made": PLAN.made.replace(year=2027), "version": "9"})
    assert write_approval_plan(path, later) is False
    assert path.read_bytes() == before
    assert write_approval_plan(path, later.model_copy(update={"subject": "Ice"})) is True
    assert read_approval_plan(path).made.year == 2027


@pytest.mark.parametrize("text", ["name: Harbour Notes\n", "{}", '{"lockfileVersion": 3}'])
def test_no_other_file_is_replaced(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(SendRefusedError, match=r"plan\.json: the file exists already"):
        write_approval_plan(path, PLAN)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("query", "is_public"),
    [
        ("tag:vip", True),
        ("email ~ '@example.com'", True),
        ("email ~ @intranet", True),
        ("email ~ 'ada@'", False),
        ("email = ada@intranet", False),
        ("name = 'Ada' and email = 'ada@example.com'", False),
        ('email:"Ada.L+x@mail.example.com"', False),
    ],
)
def test_query_with_an_address_is_not_written(path: Path, query: str, *, is_public: bool) -> None:
    segment = {"name": "", "query": query}
    plan = ApprovalPlan(**(FIELDS | {"segment": segment}))
    with nullcontext() if is_public else pytest.raises(SendRefusedError, match="reader's address"):
        write_approval_plan(path, plan)
    assert path.exists() is is_public


@pytest.mark.parametrize("text", ["", '<<<<<<< HEAD\n{"newsletter_plan": 1,'])
def test_broken_plan_is_replaced(path: Path, text: str) -> None:
    path.write_text(text)
    assert write_approval_plan(path, PLAN) is True
    assert read_approval_plan(path) == PLAN


Edit = Callable[[str], str]

HARMLESS: dict[str, Edit] = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: f"\ufeff{text}",
    "on one line": lambda text: json.dumps(json.loads(text)),
    "sorted": lambda text: json.dumps(json.loads(text), sort_keys=True),
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS.keys())
def test_form_of_the_json_does_not_matter(path: Path, edit: Edit) -> None:
    write_approval_plan(path, PLAN)
    path.write_bytes(edit(path.read_text()).encode())
    assert read_approval_plan(path) == PLAN


BROKEN: dict[str, tuple[Edit, str]] = {
    "empty": (lambda _: "", "plan.json:1: the plan is not valid JSON"),
    "cut": (lambda text: text[:200], "the plan is not valid JSON"),
    "conflict": (
        lambda text: text.replace('  "subject"', '<<<<<<< HEAD\n  "subject"'),
        "plan.json:5: the plan has a merge conflict",
    ),
    "not UTF-8": (
        lambda text: text.replace("ice", "ic\udcff"),
        "plan.json:4: the plan is not valid UTF-8",
    ),
    "too large": (lambda _: " " * (MAX_BYTES + 1), "larger than 1,000,000 bytes"),
    "nested": (lambda _: "[" * 200_000, "nested too deeply"),
    "control character": (
        lambda text: text.replace("ice", "i\x1bce"),
        "plan.json:4: the plan is not valid JSON: invalid control character",
    ),
    "half of a character": (
        lambda text: text.replace("ice", "\\ud800"),
        r"the plan is not valid: \ud800 is half of a character",
    ),
    "long number": (
        lambda text: text.replace('"count": 100', f'"count": {"9" * 5000}'),
        "the plan is not valid: a number has 5,000 digits",
    ),
    "a list": (lambda _: "[1]", "this is not a plan that newsletter plan --out has written"),
    "another file": (lambda _: '{"name": "x"}', "this is not a plan"),
    "newer": (
        lambda text: text.replace('"newsletter_plan": 1', '"newsletter_plan": 2'),
        "written by a newer newsletter (0.2.0)",
    ),
    "edited": (
        lambda text: text.replace('"count": 100', '"count": 900'),
        "the plan was edited after it was written: its checksum doesn't match",
    ),
    "edited text": (
        lambda text: text.replace("It let go", "It held"),
        "its checksum doesn't match",
    ),
    "no checksum": (
        lambda text: json.dumps(json.loads(text) | {"checksum": None}),
        "its checksum doesn't match",
    ),
    "key twice": (
        lambda text: text.replace('"topic": ""', '"topic": "",\n  "topic": "boats"'),
        "plan.json:10: the plan is not valid: the key 'topic' occurs twice",
    ),
    "key twice, further in": (
        lambda text: text.replace('"count": 100', '"count": 100,\n    "c\\u006funt": 200'),
        "plan.json:17: the plan is not valid: the key 'count' occurs twice",
    ),
    "unknown key": (
        lambda text: text.replace('"topic": ""', '"topic": "",\n  "to": "ada"'),
        "plan.json:10: to: unknown key",
    ),
    "missing key": (
        lambda text: text.replace('  "topic": "",\n', ""),
        "plan.json:1: topic: the key is missing",
    ),
    "count as text": (
        lambda text: text.replace('"count": 100', '"count": "100"'),
        "plan.json:16: readers.count: this must be a valid integer",
    ),
    "short hash": (
        lambda text: text.replace(f'"content": "{ONE}"', '"content": "11"'),
        "email.content: this must match pattern",
    ),
    "date": (
        lambda text: text.replace("2026-11-30", "yesterday"),
        "made: this must be a valid date",
    ),
    "infinite": (lambda text: text.replace("640", "NaN"), "plan.json"),
}


@pytest.mark.parametrize(("edit", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_plan_that_is_not_as_written_is_refused(path: Path, edit: Edit, expected: str) -> None:
    write_approval_plan(path, PLAN)
    path.write_bytes(edit(path.read_text()).encode(errors="surrogateescape"))
    with pytest.raises(SendRefusedError) as caught:
        read_approval_plan(path)
    text = "\n".join(map(str, caught.value.problems))
    assert expected in text
    assert caught.value.problems[-1].remedy


def test_missing_plan_and_folder_are_told_apart(path: Path) -> None:
    with pytest.raises(
        SendRefusedError, match=r"no such file.*newsletter plan ISSUE --out plan\.json"
    ):
        read_approval_plan(path)
    path.mkdir()
    with pytest.raises(SendRefusedError, match="is a directory"):
        read_approval_plan(path)
    with pytest.raises(FileWriteError, match="Move the folder of this name away"):
        write_approval_plan(path, PLAN)
