"""Rules that need the network: broken links, unpublished images."""

from collections.abc import Mapping

from lxml import etree

from newsletter.checks.analysis.private_urls import is_private_url
from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding, Severity
from newsletter.checks.rule import Match, Rule
from newsletter.checks.source_map import UTM_PARAMETER
from newsletter.config.urls import FALLBACK_PUBLIC_URL, build_image_url, build_issue_url
from newsletter.fetch.safe_fetch import FetchResult, FetchResultKind
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN

_TOPIC = "Links and images online"
_SHOWN_URL_LENGTH = 80


def _find_nothing(context: CheckContext) -> tuple[Match, ...]:  # noqa: ARG001 - ``make_online_findings`` does it
    return ()


def _make_online_rule(
    rule_id: str, severity: Severity, summary: str, *, meaning: str, remedy: str
) -> Rule:
    return Rule(rule_id, severity, _TOPIC, f"`--online`: {summary}", meaning, remedy, _find_nothing)


dead_link = _make_online_rule(
    "dead-link",
    "error",
    "a link or an image that is gone (404, 410), or whose host does not exist.",
    meaning="Readers see an error page, or an empty frame.",
    remedy="Correct the URL, or remove it.",
)
private_host = _make_online_rule(
    "private-host",
    "error",
    "a link whose host, or that of a redirect, is in a private network; it is not requested.",
    meaning="Readers can't open it, or reach something in their own network.",
    remedy="Use a public URL.",
)
failing_link = _make_online_rule(
    "failing-link",
    "warning",
    "a link that does not respond in time, responds with an error (5xx), or redirects forever.",
    meaning="The page may not open for readers.",
    remedy="Try it in a browser, and again later.",
)
bad_certificate = _make_online_rule(
    "bad-certificate",
    "warning",
    "a link whose certificate has expired, is for another host, or can't be verified.",
    meaning="Browsers show readers a warning before the page.",
    remedy="Tell the site's owner, or link to another page.",
)
unpublished_image = _make_online_rule(
    "unpublished-image",
    "warning",
    "an image of the issue that is not published at its URL yet.",
    meaning="Readers see an empty frame until it is published; Gmail may cache that for good.",
    remedy="Publish the issue's images at that URL before you send.",
)
moved_link = _make_online_rule(
    "moved-link",
    "hint",
    "a link that has moved permanently (301, 308).",
    meaning="It works only as long as the old URL redirects.",
    remedy="Use the new URL.",
)
closed_link = _make_online_rule(
    "closed-link",
    "hint",
    "a link whose server refuses the request (401, 403, 429, …), perhaps only from programs.",
    meaning="Readers may see a login page, or the page may be fine.",
    remedy="Open it in a private browser window.",
)

ONLINE_RULES: tuple[Rule, ...] = (
    dead_link, private_host, failing_link, bad_certificate, unpublished_image, moved_link,
    closed_link,
)  # fmt: skip
_RULE_BY_KIND: Mapping[FetchResultKind, Rule] = {
    "dead": dead_link,
    "private": private_host,
    "failing": failing_link,
    "moved": moved_link,
    "certificate": bad_certificate,
    "closed": closed_link,
}


def collect_urls(context: CheckContext) -> tuple[str, ...]:
    """Return the URLs of links and images to request, without duplicates.

    Left out are URLs with a recipient's own data in them (a merge tag, the unsubscribe link), the
    issue's own page, which is published with the send, private URLs, which need no request, and
    images without an address, which the rule ``unreachable-image`` reports.
    """
    tree = etree.fromstring(context.email.html, etree.HTMLParser())
    found = [
        *(link.get("href") for link in tree.iter("a")),
        *(image.get("src") for image in tree.iter("img")),
        *(source.get("srcset") for source in tree.iter("source")),
    ]
    issue_url = build_issue_url(context.config, context.issue.slug)
    urls = (url.strip().partition("#")[0] for url in found if url)
    return tuple(
        dict.fromkeys(
            url
            for url in urls
            if url.lower().startswith(("http://", "https://"))
            and url != issue_url
            and not MERGE_TOKEN_PATTERN.search(url)
            and not is_private_url(url)
            and not url.startswith(FALLBACK_PUBLIC_URL)
        )
    )


def make_online_findings(
    context: CheckContext, results: Mapping[str, FetchResult]
) -> tuple[Finding, ...]:
    """Return the findings for the results of the requests."""
    image_urls = {
        build_image_url(context.config, context.issue.slug, image.name)
        for image in context.issue.post.images.values()
    }
    return tuple(
        _make_online_finding(context, rule, url, result)
        for url, result in results.items()
        if (rule := _choose_rule(result, is_own_image=url in image_urls))
    )


def _choose_rule(result: FetchResult, *, is_own_image: bool) -> Rule | None:
    # Some hosts answer for every missing file with a page and status 200.
    is_page = bool(result.content_type) and not result.content_type.startswith("image/")
    if is_own_image and (result.kind == "dead" or is_page):
        return unpublished_image
    return _RULE_BY_KIND.get(result.kind)


def _make_online_finding(
    context: CheckContext, rule: Rule, url: str, result: FetchResult
) -> Finding:
    where = context.source_map.locate_url(url, "button", "further", "digest", "hero", "author")
    detail = (
        f" is now at {result.redirect_url[:_SHOWN_URL_LENGTH]}"
        if result.redirect_url
        else f": {result.detail or f'it is {result.content_type}, not an image'}"
    )
    message = f"{UTM_PARAMETER.sub('', url).rstrip('?&')[:_SHOWN_URL_LENGTH]}{detail}"
    return Finding(rule.id, rule.severity, message, where, url, rule.meaning, rule.remedy)
