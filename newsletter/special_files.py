"""Recognize devices and pipes, which are written to and never replaced."""

import stat
from pathlib import Path

_DEVICES = Path("/dev")


def is_special_file(path: Path) -> bool:
    """Return whether a path is a device, a pipe or a socket, or below ``/dev``.

    A new file takes the place of an old one by its name; root would so replace ``/dev/null`` for
    every program of the machine. Links elsewhere are not followed: anybody may have made them.
    """
    if path.absolute().is_relative_to(_DEVICES):
        return True
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
