"""HTML of other tools as plain HTML: media, formulas, hidden text."""
