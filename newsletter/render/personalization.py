"""Personalize an email: replace its merge tokens for one recipient.

Each merge tag of a post has been replaced by a token, whose kind depends on its context: HTML,
plain text or a URL. Pure.
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

# The place of the article until the template is compiled. Noncharacters (Unicode 23.7) can't be
# typed, so nothing that an editor writes can be the marker.
ARTICLE_MARKER = "\ufdd0article\ufdd1"
FOOTNOTES_MARKER = "\ufdd0footnotes\ufdd1"
_LINK_TOKEN = re.compile(r"-nl(unsubscribe|preferences)[htu]-")
_TARGET_BY_LETTER: dict[str, TokenTarget] = {"h": "html", "t": "text", "u": "url"}


def convert_tokens(text: str, source: TokenTarget, target: TokenTarget) -> str:
    """Return ``text`` with every token of kind ``source`` turned into kind ``target``."""
    if "-nl" not in text:
        return text
    return MERGE_TOKEN_PATTERN.sub(
        lambda found: (
            f"-nl{found['key']}{target[0]}-" if found["target"] == source[0] else found[0]
        ),
        text,
    )


def unify_link_tokens(text: str) -> str:
    """Return ``text`` with one kind of token for each of the recipient's two links.

    Their values are complete URLs and the same in every context; with one token each, a request
    carries them once per recipient, which saves half of its bytes.
    """
    return _LINK_TOKEN.sub(r"-nl\1u-", text)


def filter_used_tags(tags: tuple[MergeTag, ...], *texts: str) -> tuple[MergeTag, ...]:
    """Return the tags whose tokens occur in one of ``texts``."""
    keys = {found["key"] for text in texts for found in MERGE_TOKEN_PATTERN.finditer(text)}
    return tuple(tag for tag in tags if tag.key in keys)


def personalize(
    email: Email, attributes: Mapping[str, str], *, unsubscribe_link: str, preferences_link: str
) -> Email:
    """Return the email with every token replaced, as the provider does it.

    Args:
        email: as rendered, with its tokens.
        attributes: the recipient's attributes, ``email`` and ``name`` among them.
        unsubscribe_link: the complete URL of the recipient's unsubscribe page.
        preferences_link: the complete URL of the recipient's preferences page.

    Returns:
        The email without tokens and merge tags.
    """
    links = {UNSUBSCRIBE_TAG.key: unsubscribe_link, PREFERENCES_TAG.key: preferences_link}
    tags = {tag.key: tag for tag in email.merge_tags}

    def get_value(found: re.Match[str]) -> str:
        key = found["key"]
        if key in links:
            return links[key]
        # An unknown token stays in the email, as at the provider.
        return (
            tags[key].value(attributes, _TARGET_BY_LETTER[found["target"]])
            if key in tags
            else found[0]
        )

    return replace(
        email,
        subject=MERGE_TOKEN_PATTERN.sub(get_value, email.subject),
        preheader=MERGE_TOKEN_PATTERN.sub(get_value, email.preheader),
        html=MERGE_TOKEN_PATTERN.sub(get_value, email.html),
        text=MERGE_TOKEN_PATTERN.sub(get_value, email.text),
        merge_tags=(),
    )


def personalize_for_recipient(
    email: Email, config: Config, attributes: Mapping[str, str], token: str
) -> Email:
    """Return the email of one recipient, with every token replaced.

    Args:
        email: as rendered, with its tokens.
        config: the newsletter's settings.
        attributes: the recipient's attributes, ``email`` and ``name`` among them.
        token: the recipient's secret token, for the links.
    """
    return personalize(
        email,
        attributes,
        unsubscribe_link=build_unsubscribe_url(config, token),
        preferences_link=build_preferences_url(config, token),
    )


def get_default_subject(email: Email, config: Config) -> str:
    """Return the subject for a recipient without attributes."""
    return personalize_for_recipient(email, config, {}, "").subject
