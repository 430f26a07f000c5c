"""The ``newsletter`` command: words in, one call, text and exit code out."""
