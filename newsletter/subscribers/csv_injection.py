"""Escape cells that a spreadsheet would run as a formula, and unescape.

Pure functions. A cell that begins with one of ``= + - @``, tab or carriage return gets a leading
apostrophe, by which a spreadsheet treats it as text (OWASP, CSV injection). A cell that begins with
apostrophes before one of these gets another one, so that removing one always restores the original.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")


def escape_formula(cell: str) -> str:
    """Return the cell, escaped if a spreadsheet would run it as a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Return the cell as it was before ``escape_formula``."""
    return cell[1:] if cell[:1] == "'" and _ESCAPED.match(cell) else cell
