"""The known keys of the front matter, in one spelling."""

KNOWN_KEYS = frozenset(
    """
    title subject preheader description summary excerpt author date canonical_url language tags
    number draft sender_name reply_to template hero button further digest archive topic allow
    slug extra
    """.split()
)
# The text after the subject in an inbox is the first of these that is set.
PREHEADER_KEYS = ("preheader", "description", "summary", "excerpt")


def normalize_key(key: str) -> str:
    """Return a known key in its own spelling (``Reply-To`` is ``reply_to``), others as written."""
    name = key.strip().lower().replace("-", "_")
    return name if name in KNOWN_KEYS else key
