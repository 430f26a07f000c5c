"""The record that an import leaves beside a post: from which bytes it wrote which."""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RECORD = ".imported.json"
_CHANGES = 6
_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Record:
    """What an import wrote.

    Attributes:
        source: SHA-256 of the source's bytes, hex.
        files: path inside the issue's folder (with ``/``) -> SHA-256 of what was written there.
    """

    source: str
    files: Mapping[str, str]


def read_record(folder: Path) -> Record | None:
    """The record in an issue's folder; ``None`` where there is none that can be read."""
    try:
        data = json.loads((folder / RECORD).read_bytes())
        return Record(str(data["source"]), {str(k): str(v) for k, v in data["files"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(folder: Path, source: str) -> None:
    """Record every file that stands in ``folder`` now."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = {
        "source": source,
        "files": {path.relative_to(folder).as_posix(): digest(path) for path in files},
    }
    (folder / RECORD).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def difference(before: Path, after: Path) -> str:
    """The first lines in which two texts differ, as a unified diff shows them."""
    if not before.is_file():
        return ""
    old, new = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (before, after)
    )
    diff = difflib.unified_diff(old, new, n=0, lineterm="")
    changes = [line for line in diff if not line.startswith(("---", "+++", "@@"))]
    shown = [line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…" for line in changes[:_CHANGES]]
    more = len(changes) - len(shown)
    return "\n".join(f"  {line}" for line in shown) + (f"\n  … {more} more lines" if more else "")
