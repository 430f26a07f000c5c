"""Keep compiled templates between processes, in the user's cache folder.

Compiling the templates of an issue takes 12 to 15 % of a build in a new process.
"""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import CodeType

import jinja2
from jinja2.bccache import Bucket

from newsletter import __version__

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class TemplateBytecodeCache(jinja2.FileSystemBytecodeCache):
    """Jinja's cache, which fails no build: what it can't read is compiled, and kept if it can be.

    Jinja compiles anew what another version of Python or another text of the template has left.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load a template's code if there is any that is whole."""
        try:
            super().load_bytecode(bucket)
        except Exception:  # noqa: BLE001 - whatever pickle makes of a damaged file
            bucket.reset()
        if not isinstance(bucket.code, CodeType):
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template's code, unless the disk is full or the folder is gone."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def open_bytecode_cache(
    templates_folder: Path, environ: Mapping[str, str]
) -> TemplateBytecodeCache | None:
    """Return the cache for a templates folder; ``None`` without a folder that is the user's alone.

    What is read from there is executed: nobody else may be able to write to it.

    Args:
        templates_folder: different folders share no templates.
        environ: the environment; ``XDG_CACHE_HOME`` and ``HOME`` are used (XDG Base Directory).
    """
    base = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117 - Path("") would be the working directory
        base = os.path.join(environ.get("HOME", ""), ".cache")  # noqa: PTH118
    if not os.path.isabs(base):  # noqa: PTH117
        return None
    folder = Path(os.path.realpath(base), "newsletter")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        # Who can write to a folder above could put another one in its place.
        is_exposed = any(map(_can_others_replace_files, folder.parents))
    except OSError:
        return None
    is_writable_by_others = status.st_mode & _WRITABLE_BY_OTHERS
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or is_writable_by_others:
        return None
    if is_exposed:
        return None
    place = f"{templates_folder.resolve()} {jinja2.__version__} {__version__}"
    pattern = f"template-{sha256(place.encode(errors='surrogateescape')).hexdigest()[:16]}-%s"
    return TemplateBytecodeCache(str(folder), pattern)


def _can_others_replace_files(folder: Path) -> bool:
    """Return whether another user than root could; not in /tmp, whose sticky bit prevents it."""
    status = folder.stat()
    is_writable = status.st_mode & _WRITABLE_BY_OTHERS and not status.st_mode & stat.S_ISVTX
    return status.st_uid not in (0, os.geteuid()) or bool(is_writable)
