"""MJML: validation, then compilation to HTML with MRML."""
