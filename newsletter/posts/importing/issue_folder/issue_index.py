"""Index of a project's issues, to find the one of a post imported before."""

import datetime
import re
from itertools import count
from pathlib import Path

from newsletter.posts.importing.issue_folder.manifest import ImportManifest, read_manifest
from newsletter.posts.importing.post_identity import PostIdentity, normalize_post_url
from newsletter.posts.slug import MAX_SLUG_LENGTH
from newsletter.project import Project, list_issue_folders

_CANONICAL_URL = re.compile(r"^canonical_url:[ \t]*[\"']?(?P<url>https?://[^\s\"']+)", re.MULTILINE)
_MAX_HEAD_LENGTH = 4_000  # characters of a post's file in which its front matter is looked for


class IssueIndex:
    """The issues of a project by what their posts are recognized by.

    An issue written by hand, or imported from a file, is recognized by its ``canonical_url``.

    Args:
        project: the editor's folder; each issue in it is read once.
    """

    def __init__(self, project: Project) -> None:
        self._manifests: dict[Path, ImportManifest | None] = {}
        self._by_id: dict[str, list[Path]] = {}
        self._by_url: dict[str, Path] = {}
        self._by_text: dict[str, Path] = {}
        self._is_read = False
        self._added: set[Path] = set()
        for folder in list_issue_folders(project):
            self.add(folder)
        self._is_read = True

    def add(self, folder: Path) -> None:
        """Add an issue, or what has changed of it."""
        if self._is_read:
            self._added.add(folder)
        manifest = read_manifest(folder)
        self._manifests[folder] = manifest
        identity = manifest.identity if manifest else None
        if identity is None:
            identity = PostIdentity(url=_read_canonical_url(folder))
        if identity.post_id:
            self._by_id.setdefault(identity.post_id, []).append(folder)
        if identity.url:
            self._by_url[identity.url] = folder
        if identity.text_hash:
            self._by_text[identity.text_hash] = folder

    def find(self, identity: PostIdentity) -> Path | None:
        """Return the folder of a post's issue; ``None`` if it was not imported.

        Posts of one source that have the same URL, but other ids and texts, are several.
        """
        if folder := self._by_text.get(identity.text_hash):
            return folder
        if (folder := self._by_url.get(identity.url)) and not self._shares_url(folder, identity):
            return folder
        for folder in reversed(self._by_id.get(identity.post_id, ())):
            manifest = self._manifests[folder]
            if manifest and manifest.identity and manifest.identity.is_same_post(identity):
                return folder
        return None

    def _shares_url(self, folder: Path, identity: PostIdentity) -> bool:
        manifest = self._manifests[folder]
        if folder not in self._added or not manifest or not manifest.identity:
            return False
        return bool(identity.post_id) and identity.post_id != manifest.identity.post_id

    def get_manifest(self, folder: Path) -> ImportManifest | None:
        """Return an issue's manifest; ``None`` if it was not imported."""
        return self._manifests.get(folder)

    def find_free_folder(self, project: Project, date: datetime.date, slug: str) -> Path:
        """Return the folder of a new issue; its slug gets a number if an issue has it."""
        used = {folder.name[11:] for folder in self._manifests}
        stem = slug[: MAX_SLUG_LENGTH - 5].rstrip("-")
        names = (slug if number == 1 else f"{stem}-{number}" for number in count(1))
        return project.issues_dir / f"{date}-{next(name for name in names if name not in used)}"


def _read_canonical_url(folder: Path) -> str:
    for name in ("post.md", "post.html"):
        try:
            with (folder / name).open(encoding="utf-8", errors="replace") as file:
                found = _CANONICAL_URL.search(file.read(_MAX_HEAD_LENGTH))
        except OSError:
            continue
        return normalize_post_url(found["url"]) if found else ""
    return ""
