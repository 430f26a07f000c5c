"""The kinds of values in ``newsletter.yml``: each takes text, returns it, or says what is wrong.

A complaint (``ValueError``) never quotes a value that may be a secret.
"""

import base64
import ipaddress
import re
from unicodedata import category
from urllib.parse import SplitResult, urlsplit

# The head of every public key on the curve P-256 (SubjectPublicKeyInfo, RFC 5480), and its length.
_P256_KEY_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_P256_KEY_LENGTH = 91
DATABASE_SCHEMES = ("sqlite", "postgresql", "postgres")


def parse_line(text: str) -> str:
    """Some text on one line, without control characters."""
    if not text.strip():
        raise ValueError("this can't be empty")
    if any(category(char) in {"Cc", "Zl", "Zp"} for char in text):
        raise ValueError("this holds a line break or another control character")
    return text.strip()


def parse_optional_line(text: str) -> str:
    """One line, or nothing."""
    return parse_line(text) if text else text


def parse_lines(text: str) -> str:
    """Some text on one or several lines, without other control characters."""
    return "\n".join(parse_line(part) for part in text.strip().split("\n"))


def parse_language_tag(text: str) -> str:
    """A language tag (BCP 47)."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", text):
        raise ValueError(f"'{text}' is no language tag (BCP 47)")
    return text


def parse_timezone(name: str) -> str:
    """A name from the IANA time zone database."""
    import zoneinfo
    from difflib import get_close_matches

    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        zones = {zone.casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
        city = {zone.rpartition("/")[2]: zone for zone in zones}
        wanted = name.casefold().replace(" ", "_")
        near = get_close_matches(wanted, zones, n=1, cutoff=0.8)
        near = near or [city[place] for place in get_close_matches(wanted, city, n=1, cutoff=0.8)]
        hint = f". Did you mean '{zones[near[0]]}'?" if near else ""
        raise ValueError(f"there is no time zone '{name}'{hint}") from None
    return name


def parse_sender_address(text: str) -> str:
    """An email address in ASCII: SendGrid takes no other as a sender; an IDN domain is encoded."""
    import email_validator

    try:
        found = email_validator.validate_email(
            text, check_deliverability=False, allow_smtputf8=False
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"'{text}' is no address that can send: {error}".rstrip(".")) from None
    return found.ascii_email or text


def parse_https_url(text: str) -> str:
    """An absolute https URL."""
    _split_https_url(text)
    return text


def parse_base_url(text: str) -> str:
    """An absolute https URL that others are built upon; plain http on this machine alone."""
    parts = _split_https_url(text, allow_loopback=True)
    if parts.query or parts.fragment:
        raise ValueError(f"'{text}' may hold no '?' or '#'")
    return text.rstrip("/")


def parse_api_host(text: str) -> str:
    """Where an API answers: scheme and host alone; plain http on this machine alone."""
    url = parse_base_url(text)
    if urlsplit(url).path:
        raise ValueError(f"'{text}' may hold no path")
    return url


def parse_web_origin(text: str) -> str:
    """A web origin (RFC 6454): scheme, host, perhaps a port."""
    return parse_api_host(text).lower()


def parse_network(text: str) -> str:
    """An IP address, or a network in CIDR notation."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"'{text}' is no address or network: {error}") from None


def parse_webhook_key(text: str) -> str:
    """An ECDSA key on P-256 as SendGrid shows it: DER in base64, on one line."""
    try:
        der = base64.b64decode(text, validate=True)
    except ValueError:
        der = b""
    if len(der) != _P256_KEY_LENGTH or not der.startswith(_P256_KEY_PREFIX):
        raise ValueError("this is no verification key of SendGrid's Signed Event Webhook")
    return text


def parse_link_url(text: str) -> str:
    """What a link may lead to: a page (https or http) or an address (mailto)."""
    parts = _split_url(text)
    if parts.scheme == "mailto":
        parse_sender_address(parts.path)
    elif parts.scheme == "http":
        _check_authority(parts, text)
    else:
        _split_https_url(text)
    return text


def parse_issue_url_pattern(text: str) -> str:
    """An https URL that holds ``{slug}``."""
    return _parse_url_pattern(text, ("slug",))


def parse_image_url_pattern(text: str) -> str:
    """An https URL that holds ``{slug}`` and ``{file}``."""
    return _parse_url_pattern(text, ("slug", "file"))


def parse_utm_value(text: str) -> str:
    """One line that may hold ``{slug}``."""
    _check_placeholders(text, ("slug",))
    return parse_line(text)


def parse_font_stack(text: str) -> str:
    """A CSS font stack (the value of ``font-family``)."""
    if not re.fullmatch(r"[\w ,'.-]+", text) or text.count("'") % 2:
        raise ValueError(f"'{text}' is no list of fonts; names with spaces go in single quotes")
    return text


def parse_attribute_name(name: str) -> str:
    """A name that ``{{ subscriber.NAME }}`` can use."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError("the name of an attribute is letters, digits and '_'")
    return name


def parse_segment_name(name: str) -> str:
    """A word that no query could be."""
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ValueError(f"'{name}' is no name of a segment: letters, digits, '-' and '_'")
    return name


def parse_database_url(url: str) -> str:
    """A database URL of a kind that we know. It may hold a password: never quoted."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme.partition("+")[0] not in DATABASE_SCHEMES:
        raise ValueError("this is no SQLite or PostgreSQL URL")
    if scheme == "sqlite" and not (rest.startswith("/") and rest.strip("/")):
        raise ValueError("an SQLite URL has three slashes before the file's name")
    return url


def _parse_url_pattern(text: str, placeholder_names: tuple[str, ...]) -> str:
    missing = [f"{{{name}}}" for name in placeholder_names if f"{{{name}}}" not in text]
    if missing:
        raise ValueError(f"'{text}' must hold {' and '.join(missing)}")
    _check_placeholders(text, placeholder_names)
    _split_https_url(re.sub(r"\{\w+\}", "x", text), allow_loopback=True)
    return text


def _check_placeholders(text: str, placeholder_names: tuple[str, ...]) -> None:
    for found in re.findall(r"[{}][^{}]*\}?", text):
        if found[1:-1] not in placeholder_names or found[-1] != "}":
            known = " and ".join(f"{{{name}}}" for name in placeholder_names)
            raise ValueError(f"'{found}' stands for nothing; there is {known}")


def _split_https_url(text: str, *, allow_loopback: bool = False) -> SplitResult:
    parts = _split_url(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"'{text}' is no absolute URL (https://…)")
    _check_authority(parts, text)
    if parts.scheme == "http" and not (allow_loopback and _is_loopback(parts.hostname or "")):
        only = "; only this machine may do without" if allow_loopback else ""
        raise ValueError(f"'{text}' must begin with https://{only}")
    return parts


def _split_url(text: str) -> SplitResult:
    if re.search(r"[\s\\<>\"'`]", text) or any(category(char) == "Cc" for char in text):
        raise ValueError("a URL holds no spaces, quotes or backslashes")
    try:
        return urlsplit(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no URL: {error}") from None


def _check_authority(parts: SplitResult, text: str) -> None:
    if "@" in parts.netloc:
        raise ValueError("a URL may hold no user name or password")
    try:
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or too large
        named = False
    if not named:
        raise ValueError(f"'{text}' has no proper host")


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
