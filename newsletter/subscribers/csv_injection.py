"""Escape cells that a spreadsheet would run as a formula.

And undo it when such a file is imported. Pure.

An apostrophe in front makes text of a cell that begins with one of ``= + - @``, tab or carriage
return (OWASP, CSV injection). One more is put before a cell that already looks like that, so that
taking one off always gives back what was there.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")


def escape_formula(cell: str) -> str:
    """The cell as text that no spreadsheet runs."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """The cell as it was before ``neutral``."""
    return cell[1:] if cell[:1] == "'" and _ESCAPED.match(cell) else cell
