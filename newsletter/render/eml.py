"""Write one recipient's email as an .eml file (RFC 5322, MIME)."""

import datetime
import hashlib
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr
from typing import Any

from newsletter.render.email import Email, NamedAddress

_MAX_UNENCODED_LENGTH = 66
_WIRE_POLICY = compat32.clone(linesep="\r\n", max_line_length=78)


def to_eml(
    email: Email,
    recipient: NamedAddress,
    *,
    date: datetime.datetime,
    message_id: str,
    headers: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """Return the message as sent over SMTP: plain text first, lines of at most 998 bytes.

    Args:
        email: the email of one recipient, without tokens.
        recipient: their name and address.
        date: when the email is sent, timezone-aware.
        message_id: the Message-ID, with its angle brackets (RFC 5322 3.6.4).
        headers: the recipient's own headers, besides the email's (List-Unsubscribe).

    Returns:
        The same bytes for the same arguments.
    """
    # The legacy MIME classes: EmailMessage's header folding can lose a space between two encoded
    # words (RFC 2047 6.2).
    digest = hashlib.sha256(f"{message_id}\0{email.text}\0{email.html}".encode())
    message = MIMEMultipart("alternative", boundary=f"part-{digest.hexdigest()[:32]}")
    message["From"] = _format_address(email.sender)
    message["To"] = _format_address(recipient)
    if email.reply_to:
        message["Reply-To"] = _format_address(email.reply_to)
    message["Subject"] = _encode_subject(email.subject)
    message["Date"] = format_datetime(date)
    message["Message-ID"] = message_id
    message["Content-Language"] = email.language
    for name, value in (*email.headers, *headers):
        message[name] = value
    message.attach(_make_text_part(email.text, "plain"))
    message.attach(_make_text_part(email.html, "html"))
    return message.as_bytes(policy=_WIRE_POLICY)


def _encode_subject(text: str) -> Any:
    fits = text.isascii() and len(text) <= _MAX_UNENCODED_LENGTH
    return text if fits else Header(text, "utf-8", header_name="Subject")


def _make_text_part(text: str, subtype: str) -> MIMEText:
    """Return a quoted-printable part: lines of HTML may be longer than RFC 5322 allows."""
    charset = Charset("utf-8")
    charset.body_encoding = QP
    return MIMEText(text, subtype, charset)  # type: ignore[arg-type]


def _format_address(address: NamedAddress) -> str:
    return formataddr((address.name, address.address), "utf-8")
