"""Secrets have no place in ``newsletter.yml``: finds them, and never repeats them."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from newsletter.config.yaml_document import Fault, Tree
from newsletter.errors import Problem

SENDGRID_KEY = re.compile(r"\bSG\.[\w-]{8,}(?:\.[\w-]+)?")


def keys_in(text: str) -> Iterator[Fault]:
    """Every line, comments too, that holds what looks like a SendGrid API key."""
    for number, line in enumerate(text.splitlines(), 1):
        if SENDGRID_KEY.search(line):
            yield Fault(
                number,
                "a SendGrid API key is written here",
                "Remove it, revoke it at SendGrid if anybody else may have seen this file, and "
                "give the new one in the environment: SENDGRID_API_KEY.",
            )


def passwords_in(document: Tree) -> Iterator[Fault]:
    """The database's URL, if it holds a password."""
    url = document.source.get(("database",), "")
    if has_password(url):
        yield Fault(
            document.line(("database",)),
            "the database's URL holds a password",
            "Write it without, and give the whole URL in the environment: NEWSLETTER_DATABASE "
            "(or the password in PGPASSWORD).",
        )


def has_password(url: str) -> bool:
    """Whether a database URL holds a password, before the host or in its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "@" in url
    return parts.password is not None or "password" in parse_qs(parts.query)


def redacted(problem: Problem) -> Problem:
    """``problem`` without the key that it may quote."""
    return problem._replace(
        message=SENDGRID_KEY.sub("SG.…", problem.message),
        remedy=SENDGRID_KEY.sub("SG.…", problem.remedy),
    )
