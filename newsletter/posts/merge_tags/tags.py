"""Merge tags, their substitution tokens and per-recipient values.

The editor writes ``{{ subscriber.name | default("friend") }}``. Each distinct expression becomes
three tokens, whose values are escaped for HTML, for plain text and for use inside a URL, so that
nothing is rendered per recipient. Tokens follow SendGrid's rules for substitution tags
("Substitution Tags", Twilio SendGrid docs): no spaces, none of ``<>&``, no token part of another.
"""

import html
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from newsletter.errors import Location, PostError

MERGE_TOKEN_PATTERN = re.compile(r"-nl(?P<key>\d+|unsubscribe|preferences)(?P<target>[htu])-")

TokenTarget = Literal["html", "text", "url"]


@dataclass(frozen=True, slots=True)
class MergeTag:
    """One expression whose value differs from recipient to recipient.

    Attributes:
        key: ``"0"``, ``"1"``, … or ``"unsubscribe"``, ``"preferences"``.
        attribute: the subscriber's attribute (``name``, ``email``, ``city``); for the two links
            the same as ``key``.
        default: the value for a subscriber without the attribute.
        source: the expression as the editor wrote it.
    """

    key: str
    attribute: str
    default: str
    source: str

    def token(self, target: TokenTarget) -> str:
        """Return the token for HTML, for plain text (subject too) or for the inside of a URL."""
        return f"-nl{self.key}{target[0]}-"

    def value(self, attributes: Mapping[str, str], target: TokenTarget) -> str:
        """Return the recipient's value, escaped for ``target``; the default if missing or blank.

        A value can't inject a token (the provider may substitute in any order), nor a line break
        (a subject is one line).
        """
        raw = attributes.get(self.attribute, "")
        plain = " ".join(raw.split() or self.default.split())
        if "-nl" in plain:
            plain = MERGE_TOKEN_PATTERN.sub(lambda found: found[0].replace("-", "\u2011"), plain)
        if target == "url":
            return urllib.parse.quote(plain, safe="")
        return html.escape(plain) if target == "html" else plain


# The two links are whole URLs, safe without escaping: the value is the same for every target.
UNSUBSCRIBE_TAG = MergeTag("unsubscribe", "unsubscribe", "", "{{ unsubscribe_url }}")
PREFERENCES_TAG = MergeTag("preferences", "preferences", "", "{{ preferences_url }}")


def restore_merge_tags(text: str, tags: Iterable[MergeTag]) -> str:
    """Return ``text`` with each token as the expression that the editor wrote."""
    expressions = {tag.key: tag.source for tag in tags}
    return MERGE_TOKEN_PATTERN.sub(lambda found: expressions.get(found["key"], found[0]), text)


class MergeTagRegistry:
    """The distinct merge tags of an issue, collected while it is compiled.

    Args:
        defaults: attribute -> its default text, from ``attributes:`` in newsletter.yml.
        initial_tags: tags compiled before (those of the post, before the template's).
    """

    def __init__(self, defaults: Mapping[str, str], initial_tags: Iterable[MergeTag] = ()) -> None:
        self._defaults = defaults
        self._tags = {(tag.attribute, tag.default): tag for tag in initial_tags}

    @property
    def merge_tags(self) -> tuple[MergeTag, ...]:
        """All distinct tags so far, in the order of first use."""
        return tuple(self._tags.values())

    def get_or_add(
        self, attribute: str, default: str | None, source: str, where: Location | None
    ) -> MergeTag:
        """Return the tag for an attribute and the default in its expression, if any.

        Raises:
            PostError: the attribute has a default neither in the expression nor in
                newsletter.yml, so that some recipients would see a gap.
        """
        if default is None:
            default = "" if attribute == "email" else self._defaults.get(attribute)
        if default is None:
            raise PostError(
                f"{source} has no default for readers without '{attribute}'",
                where=where,
                remedy=f'Write {{{{ subscriber.{attribute} | default("…") }}}}, or give '
                f"'{attribute}' a default under attributes: in newsletter.yml.",
            )
        tag = self._tags.get((attribute, default))
        if tag is None:
            tag = MergeTag(str(len(self._tags)), attribute, default, source)
            self._tags[attribute, default] = tag
        return tag
