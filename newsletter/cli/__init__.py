"""Command line: parse arguments, call one use case, print, set exit code."""
