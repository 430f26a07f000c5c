"""The body by which a mail program unsubscribes its user: RFC 8058. Pure.

It is ``List-Unsubscribe=One-Click``, urlencoded or as multipart/form-data, and nothing else.
"""

from email.parser import BytesParser
from email.policy import HTTP

NAME, VALUE = "List-Unsubscribe", "One-Click"
_URLENCODED = f"{NAME}={VALUE}".encode()


def is_one_click(content_type: str, body: bytes) -> bool:
    """Whether a POST asks for it.

    Args:
        content_type: the request's header, perhaps empty.
        body: whole.
    """
    kind = content_type.partition(";")[0].strip().casefold()
    if kind == "application/x-www-form-urlencoded":
        return body == _URLENCODED
    return kind == "multipart/form-data" and _says_so(content_type, body)


def _says_so(content_type: str, body: bytes) -> bool:
    """Whether the body has that one field (RFC 7578)."""
    if not content_type.isascii() or "\r" in content_type or "\n" in content_type:
        return False
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    around = f"{message.preamble or ''}{message.epilogue or ''}"
    if message.defects or around.strip() or len(parts) != 1:
        return False
    [part] = parts
    name = part.get_param("name", header="content-disposition")
    return (
        part.get_content_disposition() == "form-data"
        and name == NAME
        and part.get_filename() is None
        and part.get_payload() == VALUE
    )
