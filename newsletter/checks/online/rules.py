"""Rules on what only the network can tell: where links lead, and whether images are there."""

from collections.abc import Mapping

from lxml import etree

from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding, Severity
from newsletter.checks.rule import Match, Rule
from newsletter.checks.rules.links import is_private_url
from newsletter.checks.source_map import UTM_PARAMETER
from newsletter.config.urls import build_image_url, build_issue_url
from newsletter.fetch.safe_fetch import FetchResult, FetchResultKind
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN

_TOPIC = "Links and images online"
_SHOWN_URL_LENGTH = 80


def _find_nothing(context: CheckContext) -> tuple[Match, ...]:  # noqa: ARG001 - the network decides
    return ()


def _make_online_rule(
    rule_id: str, severity: Severity, summary: str, *, meaning: str, remedy: str
) -> Rule:
    return Rule(rule_id, severity, _TOPIC, f"`--online`: {summary}", meaning, remedy, _find_nothing)


dead_link = _make_online_rule(
    "dead-link", "error",
    "a link or an image that is gone (404, 410), or whose host nobody knows.",
    meaning="Readers meet an error page, or an empty frame.",
    remedy="Correct the address, or take it out.",
)  # fmt: skip
private_host = _make_online_rule(
    "private-host", "error",
    "a link whose host, or where it redirects to, is in a private network; it is not asked.",
    meaning="Readers can't open it, or meet something of their own network.",
    remedy="Put a public address there.",
)  # fmt: skip
failing_link = _make_online_rule(
    "failing-link", "warning",
    "a link that does not answer in time, answers with an error (5xx), or redirects for ever.",
    meaning="Readers may meet nothing.",
    remedy="Try it in a browser, and again later.",
)  # fmt: skip
bad_certificate = _make_online_rule(
    "bad-certificate", "warning",
    "a link whose certificate has run out, is another host's, or can't be verified.",
    meaning="Browsers warn readers of the page before they show it.",
    remedy="Tell the site's owner, or link to another page.",
)  # fmt: skip
unpublished_image = _make_online_rule(
    "unpublished-image", "warning",
    "an image of the issue that is not at its address yet.",
    meaning="Readers see an empty frame until it is there; Gmail may keep that for good.",
    remedy="Publish the issue's images at that address before you send.",
)  # fmt: skip
moved_link = _make_online_rule(
    "moved-link", "hint",
    "a link that has moved for good (301, 308).",
    meaning="It works for as long as the old place redirects.",
    remedy="Put the new address there.",
)  # fmt: skip
closed_link = _make_online_rule(
    "closed-link", "hint",
    "a link that is refused to us (401, 403, 429, …): to programs alone, or to all.",
    meaning="Readers may meet a login, or nothing amiss.",
    remedy="Open it in a private window of a browser.",
)  # fmt: skip

ONLINE_RULES: tuple[Rule, ...] = (
    dead_link, private_host, failing_link, bad_certificate, unpublished_image, moved_link,
    closed_link,
)  # fmt: skip
_RULE_BY_KIND: Mapping[FetchResultKind, Rule] = {
    "dead": dead_link, "private": private_host, "failing": failing_link, "moved": moved_link,
    "certificate": bad_certificate, "closed": closed_link,
}  # fmt: skip


def collect_urls(context: CheckContext) -> tuple[str, ...]:
    """The addresses to ask: of links and images, once each.

    Left out is what a reader's own data is part of (a merge tag, the links to leave), the issue's
    own page, which comes with the send, and what can be told without asking.
    """
    tree = etree.fromstring(context.email.html, etree.HTMLParser())
    found = [one.get("href") for one in tree.iter("a")] + [
        one.get("src") for one in tree.iter("img")
    ]
    own = build_issue_url(context.config, context.issue.slug)
    asked = (url.strip().partition("#")[0] for url in found if url)
    return tuple(
        dict.fromkeys(
            url for url in asked
            if url.lower().startswith(("http://", "https://")) and url != own
            and not MERGE_TOKEN_PATTERN.search(url) and not is_private_url(url)
        )
    )  # fmt: skip


def make_online_findings(
    context: CheckContext, results: Mapping[str, FetchResult]
) -> tuple[Finding, ...]:
    """What the answers mean for the mail."""
    own = {
        build_image_url(context.config, context.issue.slug, image.name)
        for image in context.issue.post.images.values()
    }
    return tuple(
        _make_online_finding(
            context,
            unpublished_image if url in own and answer.kind == "dead" else rule,
            url,
            answer,
        )
        for url, answer in results.items()
        if (rule := _RULE_BY_KIND.get(answer.kind))
    )


def _make_online_finding(
    context: CheckContext, rule: Rule, url: str, result: FetchResult
) -> Finding:
    where = context.source_map.locate_url(url, "button", "further", "hero", "author")
    said = (
        f" is now at {result.redirect_url[:_SHOWN_URL_LENGTH]}"
        if result.redirect_url
        else f": {result.detail}"
    )
    message = f"{UTM_PARAMETER.sub('', url).rstrip('?&')[:_SHOWN_URL_LENGTH]}{said}"
    return Finding(rule.id, rule.severity, message, where, url, rule.meaning, rule.remedy)
