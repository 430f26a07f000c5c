"""Mask the secrets in a URL, such as the token of a private feed. Pure."""

import re
from urllib.parse import unquote

MASK = "***"

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
# The URL may stand in quotation marks.
_PARAMETER = re.compile(r"(?<=[?&;])(?P<name>[^=&;#\s]+)=(?P<value>[^&;#\s]*[^&;#\s'\"])")
# A word of its own, or the end of one: api_key, feedToken, X-Signature; not "keyword", "author".
_SECRET_NAME = re.compile(
    r"token|secret|passw|credential|signature|auth(?!or)|jwt"
    r"|(?:api|access|private|feed|rss)[-_.]?key|^(?:key|pass|pwd|pw|sig)$",
    re.IGNORECASE,
)


def mask_url_secrets(url: str) -> str:
    """Return a URL with ``***`` for its user name and password, and for secrets in its query.

    What is a secret is told by the parameter's name: ``?api_key=***&page=2``. A URL that is masked
    already stays as it is.
    """
    return _PARAMETER.sub(_mask_value, _USER.sub(f"{MASK}@", url))


def _mask_value(found: re.Match[str]) -> str:
    is_secret = _SECRET_NAME.search(unquote(found["name"]))
    return f"{found['name']}={MASK}" if is_secret else found[0]
