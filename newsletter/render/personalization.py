"""What differs from recipient to recipient: tokens in an email, and their replacement. Pure.

A merge tag of a post has become a token by now, of a kind that depends on where it stands: in
HTML, in plain text, in a URL.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from newsletter.config.models import Config
from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
from newsletter.posts.merge_tags.tags import (
    MERGE_TOKEN_PATTERN,
    PREFERENCES_TAG,
    UNSUBSCRIBE_TAG,
    MergeTag,
    TokenTarget,
)
from newsletter.render.email import Email

# Where the article goes once the template is compiled. Noncharacters (Unicode 23.7) can't be
# typed, so nothing that an editor writes is the marker.
ARTICLE_MARKER = "\ufdd0article\ufdd1"
_LINK_TOKEN = re.compile(r"-nl(unsubscribe|preferences)[htu]-")
_TARGET_BY_LETTER: dict[str, TokenTarget] = {"h": "html", "t": "text", "u": "url"}


def convert_tokens(text: str, source: TokenTarget, target: TokenTarget) -> str:
    """Turn every token of one kind in ``text`` into that of another."""
    if "-nl" not in text:
        return text
    return MERGE_TOKEN_PATTERN.sub(
        lambda found: (
            f"-nl{found['key']}{target[0]}-" if found["target"] == source[0] else found[0]
        ),
        text,
    )


def unify_link_tokens(text: str) -> str:
    """Leave one token for each of the recipient's two links in ``text``, wherever it stands.

    Their values are whole URLs and the same in every place, and a request carries each value once
    a recipient: half of a request's bytes.
    """
    return _LINK_TOKEN.sub(r"-nl\1u-", text)


def filter_used_tags(tags: tuple[MergeTag, ...], *texts: str) -> tuple[MergeTag, ...]:
    """Return the tags of which a token stands in one of ``texts``."""
    keys = {found["key"] for text in texts for found in MERGE_TOKEN_PATTERN.finditer(text)}
    return tuple(tag for tag in tags if tag.key in keys)


def personalize(
    email: Email, attributes: Mapping[str, str], *, unsubscribe_link: str, preferences_link: str
) -> Email:
    """Replace every token, as the provider would.

    Args:
        email: as rendered, tokens still in it.
        attributes: the recipient's own, ``email`` and ``name`` among them.
        unsubscribe_link: the recipient's own unsubscribe link, a whole URL.
        preferences_link: the recipient's own preferences page, a whole URL.

    Returns:
        The same email without tokens or merge tags.
    """
    links = {UNSUBSCRIBE_TAG.key: unsubscribe_link, PREFERENCES_TAG.key: preferences_link}
    tags = {tag.key: tag for tag in email.merge_tags}

    def value(found: re.Match[str]) -> str:
        key = found["key"]
        if key in links:
            return links[key]
        # Not one of ours: the email keeps it, as it would at the provider.
        return (
            tags[key].value(attributes, _TARGET_BY_LETTER[found["target"]])
            if key in tags
            else found[0]
        )

    return replace(
        email,
        subject=MERGE_TOKEN_PATTERN.sub(value, email.subject),
        preheader=MERGE_TOKEN_PATTERN.sub(value, email.preheader),
        html=MERGE_TOKEN_PATTERN.sub(value, email.html),
        text=MERGE_TOKEN_PATTERN.sub(value, email.text),
        merge_tags=(),
    )


def personalize_for_recipient(
    email: Email, config: Config, attributes: Mapping[str, str], token: str
) -> Email:
    """Return one recipient's own copy: no token left, their own links in it.

    Args:
        email: as rendered, tokens still in it.
        config: the newsletter's settings.
        attributes: the recipient's own, ``email`` and ``name`` among them.
        token: the recipient's own, for the links.
    """
    return personalize(
        email,
        attributes,
        unsubscribe_link=build_unsubscribe_url(config, token),
        preferences_link=build_preferences_url(config, token),
    )


def get_default_subject(email: Email, config: Config) -> str:
    """Return the subject as a recipient sees it of whom nothing is known."""
    return personalize_for_recipient(email, config, {}, "").subject
