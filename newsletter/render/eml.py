"""One reader's mail as a file that every mail client opens (RFC 5322, MIME)."""

import datetime
import hashlib
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from newsletter.render.email import Address, Email


def to_eml(
    email: Email,
    to: Address,
    *,
    date: datetime.datetime,
    message_id: str,
    headers: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """The message as it would travel, plain text first, lines of at most 998 bytes.

    Args:
        email: one reader's own copy, no tokens left in it.
        to: the reader.
        date: with a zone.
        message_id: with its angle brackets (RFC 5322 3.6.4).
        headers: the reader's own, besides the email's (List-Unsubscribe).

    Returns:
        The same bytes for the same arguments.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = _mailbox(email.sender)
    message["To"] = _mailbox(to)
    if email.reply_to:
        message["Reply-To"] = _mailbox(email.reply_to)
    message["Subject"] = email.subject
    message["Date"] = format_datetime(date)
    message["Message-ID"] = message_id
    for name, value in (*email.headers, *headers):
        message[name] = value
    # Quoted-printable: lines of HTML may be longer than RFC 5322 allows on the wire.
    message.set_content(email.text, cte="quoted-printable")
    message.add_alternative(email.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = email.language
    digest = hashlib.sha256(f"{message_id}\0{email.text}\0{email.html}".encode())
    message.set_boundary(f"part-{digest.hexdigest()[:32]}")
    return message.as_bytes()


def _mailbox(box: Address) -> Mailbox:
    return Mailbox(display_name=box.name, addr_spec=box.address)
