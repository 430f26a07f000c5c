"""Analysis for rules: CSS, colors, computed text, mail clients' support."""
