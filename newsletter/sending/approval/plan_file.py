"""Write and read the file of a plan that a pull request approves."""

import json
import re
from pathlib import Path
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from newsletter import __version__
from newsletter.config.yaml_document import parse_yaml_document
from newsletter.errors import FileWriteError, Location, Problem, SendRefusedError, display_path
from newsletter.public_files import write_public_file
from newsletter.sending.approval.approval_plan import ApprovalPlan, compute_approval_checksum
from newsletter.special_files import is_special_file

MAX_BYTES = 1_000_000

_MAX_DIGITS = 20
_FORMAT_KEY = "newsletter_plan"
_CHECKSUM_KEY = "checksum"
_REMEDY = "Write it again with: newsletter plan ISSUE --out {path}"
# Or its part before the sign, which names a reader as well.
_ADDRESS = re.compile(r"""[^\s'"@]+@[^\s'"@]+\.[^\s'"@]+|[^\s'"@~=<>!:(]@""")
# Of the Git that could not merge two plans.
_CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)
# What a plan that is written again may differ in, and is still the same.
_UNIMPORTANT_KEYS = {"made", "version", _CHECKSUM_KEY}


class _RepeatedKeyError(ValueError):
    """A key that an object has twice."""


def write_approval_plan(path: Path, plan: ApprovalPlan) -> bool:
    """Write a plan, unless the file has the same one already; return whether it was written.

    Raises:
        SendRefusedError: there is another file of that name, or the segment's query has an address.
        FileWriteError: the file can't be written.
    """
    refuse_addresses(plan)
    data = plan.as_data()
    try:
        # Reading a pipe would wait forever.
        old = b"" if is_special_file(path) else path.read_bytes()[:MAX_BYTES]
    except FileNotFoundError:
        old = b""
    except OSError as error:
        raise FileWriteError.from_os_error(error, path) from error
    if old and f'"{_FORMAT_KEY}"'.encode() not in old:
        raise SendRefusedError(
            "the file exists already, and is not a plan",
            where=Location(display_path(path)),
            remedy="Use another name, or delete it first.",
        )
    if old and _is_same(old, data):
        return False
    text = json.dumps(data, ensure_ascii=False, indent=2)
    write_public_file(path, f"{text}\n".encode())
    return True


def refuse_addresses(plan: ApprovalPlan) -> None:
    """Refuse a plan that names a reader.

    Raises:
        SendRefusedError: the segment's query has an address.
    """
    if plan.segment and _ADDRESS.search(plan.segment.query):
        raise SendRefusedError(
            "the segment's query has a reader's address, which would be in the plan for everybody "
            "to read",
            remedy="Give these readers a tag with newsletter subscribers tag, and select by it.",
        )


def read_approval_plan(path: Path) -> ApprovalPlan:
    """Read a plan, and make sure that it is as it was written.

    Raises:
        SendRefusedError: it can't be read, is not such a file, or was edited; with each line.
    """
    shown = display_path(path)
    remedy = _REMEDY.format(path=shown)
    text = _read_text(path, shown, remedy)
    try:
        data = json.loads(
            text, object_pairs_hook=_reject_repeated_keys, parse_int=_parse_whole_number
        )
        _reject_half_characters(data)
    except json.JSONDecodeError as error:
        reason = error.msg.removesuffix(" at")
        message = f"the plan is not valid JSON: {reason[0].lower()}{reason[1:]}"
        line = error.lineno
        if conflict := _CONFLICT.search(text):
            message = "the plan has a merge conflict"
            line = text.count("\n", 0, conflict.start()) + 1
        raise SendRefusedError(message, where=Location(shown, line), remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        message = f"the plan is not valid: {reason}"
        where = Location(shown)
        if isinstance(error, _RepeatedKeyError):
            where = Location(shown, _find_repeated_key(text))
        raise SendRefusedError(message, where=where, remedy=remedy) from error
    if not isinstance(data, dict) or _FORMAT_KEY not in data:
        raise SendRefusedError(
            "this is not a plan that newsletter plan --out has written",
            where=Location(shown),
            remedy=remedy,
        )
    return _validate(data, text, shown, remedy)


def _validate(data: dict[str, Any], text: str, shown: str, remedy: str) -> ApprovalPlan:
    version = data[_FORMAT_KEY]
    if isinstance(version, int) and version > 1:
        raise SendRefusedError(
            f"the plan was written by a newer newsletter ({data.get('version', '?')}); this is "
            f"{__version__}",
            where=Location(shown),
            remedy="Send it with that version.",
        )
    checksum = data.pop(_CHECKSUM_KEY, None)
    try:
        plan = ApprovalPlan.model_validate_json(json.dumps(data))
    except pydantic.ValidationError as error:
        document = parse_yaml_document(text)  # JSON is YAML: for the lines
        problems = [
            Problem(
                f"{'.'.join(map(str, details['loc']))}: {_describe(details)}",
                Location(shown, document.find_line(details["loc"])),
            )
            for details in error.errors(include_url=False)
        ]
        problems[-1] = problems[-1]._replace(remedy=remedy)
        raise SendRefusedError.from_problems(problems) from error
    if checksum != compute_approval_checksum(data):
        raise SendRefusedError(
            "the plan was edited after it was written: its checksum doesn't match",
            where=Location(shown, parse_yaml_document(text).find_line((_CHECKSUM_KEY,))),
            remedy=remedy,
        )
    return plan


def _describe(details: ErrorDetails) -> str:
    """Describe a mistake in the words of the other messages."""
    kind, message = details["type"], details["msg"]
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "missing":
        return "the key is missing"
    return message.replace("Input should", "this must").replace("String should", "this must")


def _read_text(path: Path, shown: str, remedy: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable_error(path, error) from error
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES:,} bytes: it is not a plan"
        raise SendRefusedError(message, where=Location(shown), remedy=remedy)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SendRefusedError(
            "the plan is not valid UTF-8", where=Location(shown, line), remedy=remedy
        ) from error


def _unreadable_error(path: Path, error: OSError) -> SendRefusedError:
    reason = (error.strerror or str(error)).lower()
    shown = display_path(path)
    remedy = _REMEDY.format(path=shown) if isinstance(error, FileNotFoundError) else ""
    return SendRefusedError(
        f"could not read the plan: {reason}", where=Location(shown), remedy=remedy
    )


def _reject_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject an object in which a reviewer may read another value than the program."""
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise _RepeatedKeyError(f"the key '{repeated}' occurs twice")
    return data


def _find_repeated_key(text: str) -> int | None:
    """Return the line of the first repeated key; JSON is YAML, whose reader knows lines."""
    return next((problem.line for problem in parse_yaml_document(text).problems), None)


def _parse_whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)


def _reject_half_characters(data: Any) -> None:
    """Reject half of a surrogate pair, which JSON can escape and no text has."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise ValueError(f"{half} is half of a character") from None


def _is_same(old: bytes, data: dict[str, Any]) -> bool:
    """Whether an old plan says the same as a new one."""
    try:
        old_data = json.loads(old)
    except (ValueError, RecursionError):
        return False
    return isinstance(old_data, dict) and all(
        old_data.get(key) == data.get(key)
        for key in (old_data.keys() | data.keys()) - _UNIMPORTANT_KEYS
    )
