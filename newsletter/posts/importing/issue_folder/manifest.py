"""Import manifest: hashes of the source and of the files written."""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from newsletter.posts.importing.post_identity import PostIdentity
from newsletter.public_files import write_public_file

MANIFEST_FILE_NAME = ".imported.json"
_MAX_CHANGES = 6
_MAX_WIDTH = 76


@dataclass(frozen=True, slots=True)
class ImportManifest:
    """The record of an import, stored beside the post.

    Attributes:
        source_hash: SHA-256 of the source's bytes, hex.
        source_name: the source's file and folder, ``"posts/low-tide.md"``; empty if unknown.
        file_hashes: path inside the issue's folder (with ``/``) -> SHA-256 of the file as
            written.
        identity: by what the post is recognized, if it is from a feed, an export or a folder.
    """

    source_hash: str
    file_hashes: Mapping[str, str]
    source_name: str = ""
    identity: PostIdentity | None = None


def read_manifest(folder: Path) -> ImportManifest | None:
    """Return the manifest in an issue's folder; ``None`` if it is missing or unreadable."""
    try:
        data = json.loads((folder / MANIFEST_FILE_NAME).read_bytes())
        return ImportManifest(
            str(data["source"]),
            {str(k): str(v) for k, v in data["files"].items()},
            str(data.get("name", "")),
            _read_identity(data.get("post")),
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def _read_identity(data: object) -> PostIdentity | None:
    if not isinstance(data, dict):
        return None
    post_id, url, text_hash, title_hash = (
        str(data.get(key, "")) for key in ("id", "url", "text", "title")
    )
    is_draft = data.get("draft") is True
    return PostIdentity(post_id, url, text_hash, title_hash, is_draft)


def write_manifest(
    folder: Path,
    source_hash: str,
    source_name: str,
    identity: PostIdentity | None = None,
    *,
    durable: bool = True,
) -> None:
    """Write a manifest of all files now in ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content: dict[str, object] = {"source": source_hash, "name": source_name}
    if identity:
        content["post"] = {
            "id": identity.post_id,
            "url": identity.url,
            "text": identity.text_hash,
            "title": identity.title_hash,
            **({"draft": True} if identity.is_draft else {}),
        }
    content["files"] = {path.relative_to(folder).as_posix(): hash_file(path) for path in files}
    data = (json.dumps(content, indent=2) + "\n").encode()
    write_public_file(folder / MANIFEST_FILE_NAME, data, durable=durable)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def diff_files(before: Path, after: Path) -> str:
    """Return the first lines in which two files differ, in unified diff format."""
    if not before.is_file():
        return ""
    old, new = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (before, after)
    )
    diff = difflib.unified_diff(old, new, n=0, lineterm="")
    changes = [line for line in diff if not line.startswith(("---", "+++", "@@"))]
    shown = [
        line if len(line) <= _MAX_WIDTH else f"{line[:_MAX_WIDTH]}…"
        for line in changes[:_MAX_CHANGES]
    ]
    hidden_count = len(changes) - len(shown)
    return "\n".join(f"  {line}" for line in shown) + (
        f"\n  … {hidden_count} more lines" if hidden_count else ""
    )
