"""Validate single values: colors, URLs, addresses, time zones, keys.

Each function takes text and returns it, normalised where needed, or raises ``ValueError``. The
error's message never quotes a value that may be a secret.
"""

import base64
import ipaddress
import re
import shlex
from unicodedata import category
from urllib.parse import SplitResult, urlsplit

# Prefix and length in bytes of every public key on the curve P-256 (SubjectPublicKeyInfo, RFC 5480)
_P256_KEY_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_P256_KEY_LENGTH = 91
# Addresses that are valid at a glance; the others are for email-validator, whose import takes 5 %
# of a build. Not the names that it refuses as reserved (RFC 6761).
_PLAIN_ADDRESS = re.compile(
    r"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)$)[a-z]{2,}"
)
_MAX_PLAIN_LENGTH = 64
_TOPIC_KEY = re.compile(r"\w[\w-]{0,49}")
DATABASE_SCHEMES = ("sqlite", "postgresql", "postgres")


def parse_line(text: str) -> str:
    """Validate text on one line, without control characters; not empty."""
    if not text.strip():
        raise ValueError("this can't be empty")
    if any(category(char) in {"Cc", "Zl", "Zp"} for char in text):
        raise ValueError("this contains a line break or another control character")
    return text.strip()


def parse_optional_line(text: str) -> str:
    """Validate one line, which may be empty."""
    return parse_line(text) if text else text


def parse_newsletter_id(text: str) -> str:
    """Validate a newsletter's id, which may be empty."""
    if text and not re.fullmatch(r"[a-z0-9](-?[a-z0-9]){2,62}", text):
        raise ValueError(
            f"'{text}' is not a valid id: use 3 to 63 lowercase letters, digits and single hyphens"
        )
    return text


def parse_topic_key(text: str) -> str:
    """Validate a topic's key, which is stored with readers' choices, and exported, in lower case.

    What is stored must be a valid key, too: "İ" in lower case is a letter and a mark.
    """
    if not _TOPIC_KEY.fullmatch(text):
        raise ValueError(
            f"'{text}' is not a valid topic: use up to 50 letters, digits, '-' and '_'; the label "
            "may be longer"
        )
    if not _TOPIC_KEY.fullmatch(text.casefold()):
        raise ValueError(f"'{text}' is not a valid topic: write it in lower case")
    return text


def parse_lines(text: str) -> str:
    """Validate text on one or several lines, without other control characters."""
    return "\n".join(parse_line(part) for part in text.strip().split("\n"))


def parse_language_tag(text: str) -> str:
    """Validate a language tag (BCP 47)."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", text):
        raise ValueError(f"'{text}' is not a valid language tag (BCP 47)")
    return text


def parse_timezone(name: str) -> str:
    """Validate a name from the IANA time zone database."""
    import zoneinfo
    from difflib import get_close_matches

    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        zones = {zone.casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
        zones_by_city = {zone.rpartition("/")[2]: zone for zone in zones}
        normalized = name.casefold().replace(" ", "_")
        matches = get_close_matches(normalized, zones, n=1, cutoff=0.8)
        matches = matches or [
            zones_by_city[match]
            for match in get_close_matches(normalized, zones_by_city, n=1, cutoff=0.8)
        ]
        hint = f". Did you mean '{zones[matches[0]]}'?" if matches else ""
        raise ValueError(f"unknown time zone '{name}'{hint}") from None
    return name


def parse_sender_address(text: str) -> str:
    """Validate a sender's email address and encode its IDN domain.

    ASCII only: SendGrid accepts no other sender.
    """
    return _parse_ascii_address(text, "sender")


def parse_email_address(text: str) -> str:
    """Validate the email address of somebody who is written to, and encode its IDN domain."""
    return _parse_ascii_address(text, "email")


def parse_https_url(text: str) -> str:
    """Validate an absolute https URL."""
    _split_https_url(text)
    return text


def parse_base_url(text: str) -> str:
    """Validate an absolute https URL to which paths are added; http only on this machine."""
    parts = _split_https_url(text, allow_loopback=True)
    if parts.query or parts.fragment:
        raise ValueError(f"'{text}' must not contain '?' or '#'")
    if re.search("[{}]", text):
        raise ValueError(f"'{text}' must not contain a placeholder or braces")
    return text.rstrip("/")


def parse_api_host(text: str) -> str:
    """Validate the URL of an API: scheme and host only; http only on this machine."""
    url = parse_base_url(text)
    if urlsplit(url).path:
        raise ValueError(f"'{text}' must not have a path")
    return url


def parse_web_origin(text: str) -> str:
    """Validate a web origin (RFC 6454): scheme, host, optional port."""
    return parse_api_host(text).lower()


def parse_network(text: str) -> str:
    """Validate an IP address or a network in CIDR notation."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"'{text}' is not a valid IP address or network: {error}") from None


def parse_webhook_key(text: str) -> str:
    """Validate an ECDSA key on P-256 as SendGrid shows it: DER in base64, on one line."""
    try:
        der = base64.b64decode(text, validate=True)
    except ValueError:
        der = b""
    if len(der) != _P256_KEY_LENGTH or not der.startswith(_P256_KEY_PREFIX):
        raise ValueError("this is not a verification key of SendGrid's Signed Event Webhook")
    return text


def parse_link_url(text: str) -> str:
    """Validate the target of a link: a page (https or http) or an address (mailto)."""
    parts = _split_url(text)
    if parts.scheme == "mailto":
        parse_sender_address(parts.path)
    elif parts.scheme == "http":
        _check_authority(parts, text)
    else:
        _split_https_url(text)
    return text


def parse_issue_url_pattern(text: str) -> str:
    """Validate an https URL that contains ``{slug}``."""
    return _parse_url_pattern(text, ("slug",))


def parse_image_url_pattern(text: str) -> str:
    """Validate an https URL that contains ``{slug}`` and ``{file}``."""
    return _parse_url_pattern(text, ("slug", "file"))


def parse_permalink_pattern(text: str) -> str:
    """Validate an https URL that contains ``{slug}``, and may contain ``{year}`` and the like."""
    _check_placeholders(text, ("slug", "year", "month", "day"))
    _parse_url_pattern(re.sub(r"\{(?:year|month|day)\}", "x", text), ("slug",))
    return text


def parse_feed_url(text: str) -> str:
    """Validate the URL of a feed: https or http, with a query if it needs one."""
    parts = _split_url(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"'{text}' is not an absolute URL (https://…)")
    _check_authority(parts, text)
    return text


def parse_utm_value(text: str) -> str:
    """Validate one line that may contain ``{slug}``."""
    _check_placeholders(text, ("slug",))
    return parse_line(text)


def parse_font_stack(text: str) -> str:
    """Validate a CSS font stack (the value of ``font-family``)."""
    if not re.fullmatch(r"[\w ,'.-]+", text) or text.count("'") % 2:
        raise ValueError(
            f"'{text}' is not a valid font list; put names with spaces in single quotes"
        )
    return text


def parse_attribute_name(name: str) -> str:
    """Validate an attribute name, as in ``{{ subscriber.NAME }}``."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError("an attribute name has only letters, digits and '_'")
    return name


def parse_segment_name(name: str) -> str:
    """Validate a segment name, which can't be mistaken for a query."""
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ValueError(f"'{name}' is not a valid segment name: use letters, digits, '-' and '_'")
    return name


def parse_database_url(url: str) -> str:
    """Validate an SQLite or PostgreSQL URL. It may contain a password: never quote it."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in DATABASE_SCHEMES:
        raise ValueError("this is not an SQLite or PostgreSQL URL")
    if scheme == "sqlite" and not (rest.startswith("/") and rest.strip("/")):
        raise ValueError("an SQLite URL needs three slashes before the file name")
    return url


def parse_command(text: str) -> tuple[str, ...]:
    """Split a command into program and arguments, with a shell's quotes but without its meaning."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"'{text}' is not a valid command: {error}".lower()) from None


def parse_command_part(text: str) -> str:
    """Validate the program or an argument of a command; ``{folder}`` is the only placeholder."""
    if not text or "\0" in text:
        raise ValueError("an argument of a command can't be empty")
    for placeholder in re.findall(r"\{\w+\}", text):
        if placeholder != "{folder}":
            raise ValueError(f"unknown placeholder '{placeholder}'; use {{folder}}")
    return text


def parse_argument(text: str) -> str:
    """Validate the program or an argument of a command that has no placeholders."""
    if not text or "\0" in text:
        raise ValueError("an argument of a command can't be empty")
    return text


def _parse_ascii_address(text: str, kind: str) -> str:
    if len(text) <= _MAX_PLAIN_LENGTH and _PLAIN_ADDRESS.fullmatch(text):
        return text
    import email_validator

    try:
        validated = email_validator.validate_email(
            text, check_deliverability=False, allow_smtputf8=False
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"'{text}' is not a valid {kind} address: {error}".rstrip(".")) from None
    return validated.ascii_email or text


def _parse_url_pattern(text: str, placeholder_names: tuple[str, ...]) -> str:
    missing = [f"{{{name}}}" for name in placeholder_names if f"{{{name}}}" not in text]
    if missing:
        raise ValueError(f"'{text}' must contain {' and '.join(missing)}")
    _check_placeholders(text, placeholder_names)
    _split_https_url(re.sub(r"\{\w+\}", "x", text), allow_loopback=True)
    return text


def _check_placeholders(text: str, placeholder_names: tuple[str, ...]) -> None:
    for placeholder in re.findall(r"[{}][^{}]*\}?", text):
        if placeholder[1:-1] not in placeholder_names or placeholder[-1] != "}":
            known = " and ".join(f"{{{name}}}" for name in placeholder_names)
            raise ValueError(f"unknown placeholder '{placeholder}'; use {known}")


def _split_https_url(text: str, *, allow_loopback: bool = False) -> SplitResult:
    parts = _split_url(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"'{text}' is not an absolute URL (https://…)")
    _check_authority(parts, text)
    if parts.scheme == "http" and not (allow_loopback and _is_loopback(parts.hostname or "")):
        exception = " (http:// only on this machine)" if allow_loopback else ""
        raise ValueError(f"'{text}' must begin with https://{exception}")
    return parts


def _split_url(text: str) -> SplitResult:
    if re.search(r"[\s\\<>\"'`]", text) or any(category(char) == "Cc" for char in text):
        raise ValueError("a URL must not contain spaces, quotes or backslashes")
    try:
        return urlsplit(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is not a valid URL: {error}") from None


def _check_authority(parts: SplitResult, text: str) -> None:
    if "@" in parts.netloc:
        raise ValueError("a URL must not contain a user name or password")
    try:
        is_valid = bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number or too large
        is_valid = False
    if not is_valid:
        raise ValueError(f"'{text}' has no valid host")


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
