"""Domain names in link texts and URLs: registrable domain, staging hosts.

Neither the list of public suffixes (300 KB, new each week) nor a dependency for it: the few
suffixes of hosting services and country registries that posts link to are listed here.
"""

import re
from urllib.parse import unquote

from newsletter.render.article.links import get_host

# Services that give each customer a host: the label before these is a site of its own.
_HOSTING_SUFFIXES = frozenset(
    """
    azurewebsites.net blogspot.com codeberg.page deno.dev firebaseapp.com fly.dev framer.website
    ghost.io github.io gitlab.io glitch.me hashnode.dev herokuapp.com hf.space medium.com
    netlify.app notion.site onrender.com pages.dev readthedocs.io readthedocs.org render.com
    squarespace.com substack.com surge.sh tumblr.com vercel.app web.app webflow.io weebly.com
    wixsite.com wordpress.com workers.dev
    """.split()
)
# Registries of countries sell names under these too: co.uk, com.au, or.jp.
_COUNTRY_CATEGORIES = frozenset("ac co com edu go gob gov gouv gr ne net nom or org".split())
_GENERIC_TOP_DOMAINS = frozenset(
    """
    academy agency app art bank biz blog business careers center chat city cloud club coffee com
    community company consulting cool courses design dev digital directory earth edu education
    email energy engineering events example expert family farm finance foundation fun fund
    gallery games garden gmbh gov group guide guru health help homes hosting house info institute
    int international jobs land legal life link live local lol love ltd market marketing media
    mil mobi money museum name net network news ngo one online org page partners party photo
    photography photos pics place plus press pro productions pub radio rent report review reviews
    rocks run sale school science security services shop show site social software solutions
    space store studio style support systems team tech technology tel tips today tools top tours
    town trade training travel university vip vision website wiki work works world xyz zone
    """.split()
)
# Two letters that end more names of files than of hosts; every other pair counts as a country.
_TWO_LETTER_FILE_SUFFIXES = frozenset(
    """
    bz cc cs db ex fs go gz hs js jl kt lz mk ml mm pl pm ps py rb rc rs sh so sv tf ts vb vi xz
    md 7z
    """.split()
)
# Names with capitals are hosts (MyBank.com) under these only; Object.is and Finder.app aren't.
_CAPITALIZED_TOP_DOMAINS = frozenset({"biz", "com", "edu", "example", "gov", "info", "net", "org"})
_PRODUCT_NAMES = frozenset({"ado.net", "asp.net", "dot.net", "ml.net", "paint.net", "vb.net"})
_BARE_HOST = re.compile(
    r"(?P<host>(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?P<top>[^\W\d_]{2,}|xn--[a-z0-9-]+))(?::\d+)?"
    r"(?P<rest>[/?]\S*|#\D\S*)?",
    re.IGNORECASE,
)
_WEB_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_PUNCTUATION = ".,;:!?()<>[]{}\"'“”‘’«»→›… "  # noqa: RUF001

# Hosts that are the same site under a short or a former name.
_SITE_ALIASES = {
    "twitter.com": "x.com", "youtu.be": "youtube.com", "fb.com": "facebook.com",
    "fb.me": "facebook.com", "redd.it": "reddit.com", "amzn.to": "amazon.com",
    "wa.me": "whatsapp.com", "t.me": "telegram.org", "telegram.me": "telegram.org",
    "git.io": "github.com", "flic.kr": "flickr.com", "dx.doi.org": "doi.org",
}  # fmt: skip
# Pages about software or about a name: a bare name as link text is that name, not a URL.
_PROJECT_HOSTS = frozenset(
    """
    bitbucket.org bsky.app codeberg.org crates.io docs.rs github.com gitlab.com hub.docker.com
    marketplace.visualstudio.com npmjs.com packagist.org pkg.go.dev pypi.org rubygems.org
    sourceforge.net sr.ht wikipedia.org
    """.split()
)
_PUNYCODE_LABEL = re.compile(r"\bxn--([a-z0-9-]+)", re.IGNORECASE)
_ARCHIVE_HOSTS = frozenset({"web.archive.org", "archive.org", "archive.ph", "archive.today"})

_STAGING_LABEL = re.compile(
    r"(?:staging|stage|stg|preprod|uat)\d*|.+-(?:staging|preprod|uat)\d*|staging-.+"
)
# Names that public sites have too (dev.mysql.com, preview.redd.it): a copy only under one's own
# domain; of these, a hosting service has "preview" for copies.
_OWN_STAGING_LABEL = re.compile(r"(?:dev|test|qa|beta|sandbox|preview)\d*")
_HOSTED_STAGING_LABEL = re.compile(r"preview\d*")
_DEPLOY_PREVIEW = re.compile(
    r"(?:deploy-preview-\d+|[0-9a-f]{24})--[\w-]+\.netlify\.app"
    r"|[\w-]+-git-[\w-]+\.vercel\.app|[0-9a-f]{8}\.[\w-]+\.pages\.dev"
)
_TUNNEL_SUFFIXES = (
    ".ngrok.io", ".ngrok.app", ".ngrok.dev", ".ngrok-free.app", ".ngrok-free.dev",
    ".trycloudflare.com", ".loca.lt", ".localtunnel.me", ".serveo.net",
)  # fmt: skip


def get_registrable_domain(host: str) -> str:
    """Return the part of a host that its owner registered: ``a.b.co.uk`` gives ``b.co.uk``."""
    labels = host.split(".")
    suffix_size = 1
    if ".".join(labels[-2:]) in _HOSTING_SUFFIXES or (
        len(labels[-1]) == 2 and labels[-2:-1] and labels[-2] in _COUNTRY_CATEGORIES  # noqa: PLR2004
    ):
        suffix_size = 2
    return ".".join(labels[-suffix_size - 1 :])


def find_shown_host(text: str, *, is_code: bool = False) -> str:
    """Return the host that a link's text shows as its target; empty if the text is no URL.

    A text is a URL if it has ``http://`` or ``www.``, or if it is a host whose last label is a
    top-level domain. Names of files (``Cargo.lock``, ``README.md``), of settings
    (``process.env``), of products (``ASP.NET``), of methods (``Object.is``) and of issues
    (``crates.io#12``) aren't.

    Args:
        text: the link's text.
        is_code: whether all of it is code, where ``user.name`` is no host.
    """
    text = text.strip(_PUNCTUATION)
    if _WEB_URL.fullmatch(text):
        return get_host(text)
    found = _BARE_HOST.fullmatch(text)
    if found is None:
        return ""
    host = found["host"].lower()
    if host.startswith("www."):
        return get_host(f"https://{host}")
    is_host = not is_code and host not in _PRODUCT_NAMES and _has_top_domain(found)
    return host if is_host else ""


def _has_top_domain(found: re.Match[str]) -> bool:
    top = found["top"].lower()
    if found["host"] != found["host"].lower():
        return top in _CAPITALIZED_TOP_DOMAINS
    if len(top) == 2:  # noqa: PLR2004 - a country's
        return top not in _TWO_LETTER_FILE_SUFFIXES or (found["rest"] or "").startswith("/")
    return top in _GENERIC_TOP_DOMAINS or top.startswith("xn--")


def is_same_site(text: str, shown_host: str, url: str) -> bool:
    """Return whether a link leads where its text says.

    Args:
        text: the link's text.
        shown_host: the host in it.
        url: the link's target.
    """
    host = get_host(url)
    if _get_site(shown_host) == _get_site(host):
        return True
    if host in _ARCHIVE_HOSTS:
        return shown_host in url.lower()
    is_bare_name = "/" not in text and not text.lower().startswith("www.")
    return is_bare_name and bool({host, get_registrable_domain(host)} & _PROJECT_HOSTS)


def is_staging_host(host: str, own_hosts: frozenset[str]) -> bool:
    """Return whether a host looks like a copy of a site that isn't meant for its readers.

    Args:
        host: lower case, without ``www.``.
        own_hosts: the newsletter's own hosts; under their domains more names mark a copy.
    """
    if host.endswith(_TUNNEL_SUFFIXES) or _DEPLOY_PREVIEW.fullmatch(host):
        return True
    domain = get_registrable_domain(host)
    labels = host.removesuffix(domain).rstrip(".").split(".")
    patterns = [_STAGING_LABEL]
    if domain in {get_registrable_domain(own_host) for own_host in own_hosts}:
        patterns.append(_OWN_STAGING_LABEL)
    elif domain.partition(".")[2] in _HOSTING_SUFFIXES:
        patterns.append(_HOSTED_STAGING_LABEL)
    return any(pattern.fullmatch(label) for label in labels for pattern in patterns)


def _get_site(host: str) -> str:
    """Return the registrable domain of a host, in Unicode, under its present name."""
    host = _PUNYCODE_LABEL.sub(_decode_label, unquote(host)).casefold()
    return get_registrable_domain(_SITE_ALIASES.get(host, host))


def _decode_label(found: re.Match[str]) -> str:
    """Decode a label of an internationalized host (RFC 3492); an invalid one stays."""
    try:
        return found[1].encode().decode("punycode")
    except UnicodeError:
        return found[0]
