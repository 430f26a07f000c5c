"""Commands for the project: create its folder, check its setup."""
