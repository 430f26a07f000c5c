"""Write files for everybody: posts, pages, images, reports without readers.

What holds readers' data is written by ``newsletter.private_files``.
"""

import os
import shutil
from pathlib import Path

from newsletter.errors import FileWriteError
from newsletter.special_files import is_special_file


def write_public_file(
    target: Path, data: bytes, *, make_folders: bool = False, durable: bool = False
) -> None:
    """Replace a file at once: until the new one is complete, and if it fails, the old one stays.

    A new file gets the mode that the umask allows; an existing one keeps its mode. A symbolic link
    is replaced, not followed; a device or a pipe is written to.

    Args:
        target: the file.
        data: its whole content.
        make_folders: whether to create the folders above it that are missing.
        durable: whether its content must survive a power cut: for what can't be written again.

    Raises:
        FileWriteError: with the reason and a remedy.
    """
    # A name of its own: two processes may write the same file at the same time.
    temporary = target.with_name(f".{os.urandom(6).hex()}.new")
    try:
        if make_folders:
            target.parent.mkdir(parents=True, exist_ok=True)
        if is_special_file(target):
            with target.open("wb") as file:
                file.write(data)
            return
        try:
            with temporary.open("xb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            if target.is_file() and not target.is_symlink():
                shutil.copymode(target, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileWriteError.from_os_error(error, target) from error
