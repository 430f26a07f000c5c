"""Escape cells that a spreadsheet would run as a formula, and unescape.

Pure functions. A leading apostrophe makes text of a cell that begins with one of ``= + - @``, tab
or carriage return (OWASP, CSV injection). A cell that already begins with an apostrophe and one of
these gets another one, so that removing one always restores the original.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")


def escape_formula(cell: str) -> str:
    """Return the cell as text that no spreadsheet runs as a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Return the cell as it was before ``escape_formula``."""
    return cell[1:] if cell[:1] == "'" and _ESCAPED.match(cell) else cell
