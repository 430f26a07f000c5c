"""Commands for an issue before it is sent: import, build, check, test."""
