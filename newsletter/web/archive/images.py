"""The images of an issue, from its folder and nowhere else."""

from pathlib import Path

IMAGE_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
# An SVG is a document: opened by itself it may draw, and do nothing else.
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def find_issue_image(folder: Path, name: str) -> Path | None:
    """The image called ``name`` in an issue's folder.

    Args:
        folder: the issue's.
        name: path inside it with ``/``, from a URL, decoded once.

    Returns:
        The file; ``None`` for what is no image, hidden, absent, or led to by a link from outside.
    """
    parts = name.split("/")
    odd = any(not part or part.startswith(".") or "\\" in part for part in parts)
    if odd or not name.isprintable() or Path(name).suffix.lower() not in IMAGE_TYPES:
        return None
    try:
        file = (folder / name).resolve(strict=True)
    except (OSError, ValueError):
        return None
    inside = file.is_file() and file.is_relative_to(folder.resolve())
    # What a link inside the folder leads to must be an image as well.
    return file if inside and file.suffix.lower() in IMAGE_TYPES else None


def list_issue_images(folder: Path) -> list[str]:
    """Every image in an issue's folder that would be served, sorted."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in names if find_issue_image(folder, name))
