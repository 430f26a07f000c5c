"""Index of a project's issues, to find the one of a post imported before."""

import datetime
import re
from collections.abc import Iterator, Sequence
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
        self._identities: dict[Path, PostIdentity] = {}
        self._by_id: dict[str, list[Path]] = {}
        self._by_url: dict[str, list[Path]] = {}
        self._by_text: dict[str, list[Path]] = {}
        self._claims: dict[Path, PostIdentity] = {}
        for folder in list_issue_folders(project):
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Add an issue, or what has changed of it."""
        manifest = read_manifest(folder)
        self._manifests[folder] = manifest
        identity = manifest.identity if manifest else None
        if identity is None:
            identity = PostIdentity(url=_read_canonical_url(folder))
        self._identities[folder] = identity
        for issues, key in (
            (self._by_id, identity.post_id),
            (self._by_url, identity.url),
            (self._by_text, identity.text_hash),
        ):
            if key:
                issues.setdefault(key, []).append(folder)

    def find(self, identity: PostIdentity) -> Path | None:
        """Return the folder of a post's issue; ``None`` if it was not imported.

        An issue that was claimed for another post of the same source is not this one's.
        """
        return next(self._iter_found(identity), None)

    def find_all(self, identities: Sequence[PostIdentity]) -> list[Path | None]:
        """Return for all posts of one source what ``find`` returns, and claim the issues."""
        found: dict[int, Path | None] = {}
        for waits_if_ambiguous in (True, False):
            for number, identity in enumerate(identities):
                if number in found:
                    continue
                folder = self.find(identity)
                if folder and waits_if_ambiguous and self.is_ambiguous(folder, identity):
                    continue
                found[number] = folder
                if folder:
                    self.claim(folder, identity)
        return [found[number] for number in range(len(identities))]

    def _iter_found(self, identity: PostIdentity) -> Iterator[Path]:
        """Yield the issues that may be a post's, the most certain first."""
        same_id = (
            folder
            for folder in reversed(self._by_id.get(identity.post_id, ()))
            if self._identities[folder].is_same_post(identity)
        )
        found = [*reversed(self._by_url.get(identity.url, ())), *same_id]
        found.sort(key=lambda folder: not self._identities[folder].has_title_of(identity))
        same_text = list(reversed(self._by_text.get(identity.text_hash, ())))
        same_text.sort(key=lambda folder: self._identities[folder].has_other_id_than(identity))
        for folder in (*same_text, *found):
            claim = self._claims.get(folder)
            is_claimed = claim is not None and claim.is_another_post(identity)
            if not is_claimed and not identity.is_draft_beside(self._identities[folder]):
                yield folder

    def is_ambiguous(self, folder: Path, identity: PostIdentity) -> bool:
        """Return whether a post that was found by its id or URL alone may be another one.

        It is, if the source turns out to have a post whose text or title is that of the issue, or
        if the issue is a draft's which the source still has.
        """
        known = self._identities[folder]
        is_found = known.has_title_of(identity) or (
            known.text_hash and known.text_hash == identity.text_hash
        )
        return folder not in self._claims and (not is_found or known.is_draft_beside(identity))

    def is_claimed(self, folder: Path) -> bool:
        """Return whether an issue was found or written for an earlier post of the same source."""
        return folder in self._claims

    def claim(self, folder: Path, identity: PostIdentity) -> None:
        """Record whose issue a folder is, for the other posts of the same source."""
        self._claims.setdefault(folder, identity)

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
