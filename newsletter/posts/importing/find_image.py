"""Find a post's images on disk: only in its folder and those named for it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import imagesize

from newsletter.errors import Location, PostError
from newsletter.posts.images import is_local_image, is_page_path, make_unreadable_error
from newsletter.posts.importing.read_file import PostSource
from newsletter.posts.svg import SVG_REMEDY, find_svg_problem

_IMAGE_SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".webp",
    ".avif",
    ".svg",
    ".bmp",
    ".tif",
    ".tiff",
}
_SIGNATURES = (
    (re.compile(rb"\x89PNG"), ".png"),
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"GIF8"), ".gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"....ftypavif", re.DOTALL), ".avif"),
)
_ABSOLUTE_PATH = re.compile(r"file:|[a-z]:", re.IGNORECASE)
_FOLDER_ALIAS = re.compile(r"^(?:[@~]/|@(?=\w+/))")
_UNREADABLE_SIZE = (-1, -1)


class MissingImageError(PostError):
    """A post refers to an image that isn't beside it."""


class ImageNotCopiedError(PostError):
    """A post refers to an image that an import must not copy."""


@dataclass(frozen=True, slots=True)
class ImageFinder:
    """Finder of the images of one post, which may come from a stranger.

    Only regular files that are below the post's folder, or below a folder that the editor named,
    are opened, after symbolic links have been resolved. A hard link is such a file: it can't be
    told from any other, and nobody can make one of a file that they may not read.

    Attributes:
        source: the post's source file.
        max_bytes: size limit of an image.
        named_folders: the folders that the editor named, resolved.
    """

    source: PostSource
    max_bytes: int
    named_folders: tuple[Path, ...] = ()

    def is_on_disk(self, reference: str) -> bool:
        """Return whether a reference names a local file; absolute paths are rejected later.

        A path from the site's root does if a named folder has the file.
        """
        if "{{" in reference:
            return False
        if _ABSOLUTE_PATH.match(reference):
            return True
        if is_local_image(reference):
            return not is_page_path(reference, self.source.folder)
        return self._find_in_named_folders(reference) is not None

    def can_show(self, reference: str) -> bool:
        """Return whether an image is on the web, or a file that can be copied."""
        is_file = is_local_image(reference) or self.is_on_disk(reference)
        if not is_file or "{{" in reference:
            return True
        try:
            self.find(reference)
        except PostError:
            return False
        return True

    def find(self, reference: str) -> Path:
        """Return the resolved file of an image.

        Raises:
            MissingImageError: there is no such file.
            ImageNotCopiedError: it is outside the folders, or an SVG that is more than a drawing.
            PostError: it is too large, or not an image.
        """
        where = Location(self.source.name, self.source.find_line(reference))
        file = self._find_in_named_folders(reference) or self._find_beside_post(reference, where)
        size = file.stat().st_size
        if size > self.max_bytes:
            raise PostError(
                f"the image '{reference}' has {size:,} bytes; the limit is {self.max_bytes:,}",
                where=where,
                remedy="Make it smaller, or raise limits.image_bytes in newsletter.yml.",
            )
        try:
            _check_content(file, reference, where)
        except OSError as error:
            raise make_unreadable_error(reference, error, where) from error
        return file

    def _find_in_named_folders(self, reference: str) -> Path | None:
        """Return the file at a path from the site's root; ``None`` for other paths.

        Build tools have names for folders in the sources: ``@/``, ``~/``, ``@assets/``.
        """
        path = _FOLDER_ALIAS.sub("/", decode_path(reference))
        if not path.startswith("/") or reference.startswith("//"):
            return None
        relative = path.lstrip("/")
        files = (_resolve_file(folder / relative) for folder in self.named_folders)
        return next((file for file in files if file and self._is_allowed(file)), None)

    def _find_beside_post(self, reference: str, where: Location) -> Path:
        path = decode_path(reference)
        folder = self.source.folder
        if _ABSOLUTE_PATH.match(reference) or path.startswith("/") or ":" in path:
            raise _make_outside_error(
                f"the image '{reference}' has the path of one computer", where
            )
        if folder is None:
            raise MissingImageError("a post on standard input has no folder", where=where)
        unresolved = Path(os.path.normpath(folder / path))
        file = _resolve_file(unresolved)
        if file is not None and self._is_allowed(file):
            return file
        # Of a file elsewhere, not even its existence is told.
        if not self._is_allowed(unresolved):
            raise _make_outside_error(
                f"the image '{reference}' is outside the post's folder", where
            )
        if file is None:
            raise MissingImageError(f"there is no {unresolved}", where=where)
        raise _make_outside_error(
            f"the image '{reference}' is a symbolic link to a file outside the post's folder", where
        )

    def _is_allowed(self, file: Path) -> bool:
        """Return whether a resolved file is below one of the folders."""
        folders = (self.source.folder, *self.named_folders)
        return any(folder is not None and file.is_relative_to(folder) for folder in folders)


def decode_path(reference: str) -> str:
    """Return the path of an image's reference, percent-decoded once."""
    return unquote(re.split(r"[?#]", reference, maxsplit=1)[0])


def find_suffix(file: Path) -> str:
    """Return the usual ending of an image's name, by its first bytes; empty if it is unknown."""
    with file.open("rb") as image:
        start = image.read(16)
    return next((suffix for pattern, suffix in _SIGNATURES if pattern.match(start)), "")


def _check_content(file: Path, reference: str, where: Location) -> None:
    suffix = file.suffix.lower() or find_suffix(file)
    is_image = suffix == ".svg" or (  # whose size need not be in it
        suffix in _IMAGE_SUFFIXES and imagesize.get(file) != _UNREADABLE_SIZE
    )
    if not is_image:
        raise PostError(
            f"'{reference}' is not an image that an email can show",
            where=where,
            remedy="Use PNG, JPEG, GIF, WebP or SVG.",
        )
    if suffix == ".svg" and (why := find_svg_problem(file.read_bytes())):
        raise ImageNotCopiedError(
            f"the image '{reference}' can't be published: {why}",
            where=where,
            remedy=SVG_REMEDY,
        )


def _resolve_file(path: Path) -> Path | None:
    """Return the file at a path, its links resolved; ``None`` unless it is a regular file."""
    # Path.is_file raises for names that are too long; a FIFO or a device would block.
    return path.resolve() if os.path.isfile(path) else None  # noqa: PTH113


def _make_outside_error(message: str, where: Location) -> ImageNotCopiedError:
    return ImageNotCopiedError(
        message,
        where=where,
        remedy="Put it beside the post and use a relative path, or import the post again with "
        "--update and --images FOLDER for the folder that it is in.",
    )
