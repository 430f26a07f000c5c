"""Walk a folder lazily, in the order of its names, and never leave it."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

_MAX_DEPTH = 60


def walk_files(
    top: Path, boundary: Path, is_skipped: Callable[[Path], bool], others: Counter[str]
) -> Iterator[Path]:
    """Yield the files below a folder, sorted folder by folder.

    A symbolic link to a file is followed if that is below the boundary; one to a folder never, so
    that nothing comes twice and nothing runs in circles.

    Args:
        top: the folder.
        boundary: the folder that is not left.
        is_skipped: whether a folder is left out.
        others: counts what is not followed.
    """
    pending = [iter(_list_sorted(top, others))]
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            continue
        path = Path(entry.path)
        if entry.is_symlink():
            if path.is_file() and path.resolve().is_relative_to(boundary):
                yield path
            else:
                others["symbolic links"] += 1
        elif entry.is_dir(follow_symlinks=False):
            if len(pending) < _MAX_DEPTH and not is_skipped(path):
                pending.append(iter(_list_sorted(path, others)))
            elif not entry.name.startswith("."):
                others["folders left out, such as themes"] += 1
        elif entry.is_file(follow_symlinks=False):
            yield path


def _list_sorted(folder: Path, others: Counter[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        others["folders that can't be read"] += 1
        return []
