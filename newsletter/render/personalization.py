"""One reader's own copy: every token replaced, as SendGrid would do it. Pure text work."""

import re
from collections.abc import Mapping
from dataclasses import replace

from newsletter.posts.merge_tags.tags import PREFERENCES, TOKEN, UNSUBSCRIBE, Target
from newsletter.render.email import Email

_TARGETS: dict[str, Target] = {"h": "html", "t": "text", "u": "url"}


def personalise(
    email: Email, attributes: Mapping[str, str], *, unsubscribe: str, preferences: str
) -> Email:
    """Fill in what differs from reader to reader.

    Args:
        email: as rendered, tokens still in it.
        attributes: the reader's own, ``email`` and ``name`` among them.
        unsubscribe: the reader's own way out, a whole URL.
        preferences: the reader's own preferences page, a whole URL.

    Returns:
        The same email without tokens or merge tags.
    """
    links = {UNSUBSCRIBE.key: unsubscribe, PREFERENCES.key: preferences}
    tags = {tag.key: tag for tag in email.merge_tags}

    def value(found: re.Match[str]) -> str:
        key = found["key"]
        if key in links:
            return links[key]
        # Not one of ours: a reader's mail keeps it, as the vendor would.
        return tags[key].value(attributes, _TARGETS[found["target"]]) if key in tags else found[0]

    return replace(
        email,
        subject=TOKEN.sub(value, email.subject),
        preheader=TOKEN.sub(value, email.preheader),
        html=TOKEN.sub(value, email.html),
        text=TOKEN.sub(value, email.text),
        merge_tags=(),
    )
