"""Recognise opens and clicks by bots, not by recipients. Pure.

SendGrid marks the opens that Apple Mail prefetches. Other bots are known by their User-Agent: link
scanners of mail gateways, link previews of chat programs, and tools. The image proxies of Gmail and
Yahoo are not bots: they fetch images when the recipient opens the email. A scanner that poses as a
browser can only be recognised by its speed, which the report does: see
``newsletter.reports.engagement``.
"""

import re
from functools import lru_cache

from newsletter.events.parse import Event

_TRACKED = frozenset({"open", "click"})
_BOT_USER_AGENTS = re.compile(
    # Programs that identify themselves.
    r"bot\b|crawler|spider|scanner|preview|facebookexternalhit|whatsapp"
    r"|headless|phantomjs|python-|^python|aiohttp|okhttp|libwww|go-http-client|java/|curl/|wget/"
    # Gateways that open every link in an email.
    r"|barracuda|mimecast|proofpoint|trend ?micro|symantec|messagelabs|sophos|ironport"
    r"|forcepoint|websense|fortinet|fortiguard|cisco|zscaler|safelinks|fireeye|trustwave"
    # This and nothing else: Apple's Mail Privacy Protection, and scanners.
    r"|^mozilla/\d\.\d$",
    re.IGNORECASE,
)


def is_bot_event(event: Event) -> bool:
    """Return whether an event is an open or a click by a bot."""
    if event.type not in _TRACKED:
        return False
    if event.raw.get("sg_machine_open") is True:
        return True
    user_agent = event.raw.get("useragent")
    return isinstance(user_agent, str) and _is_bot_user_agent(user_agent.strip()[:1_000])


@lru_cache(maxsize=10_000)  # many recipients, few mail clients
def _is_bot_user_agent(user_agent: str) -> bool:
    return _BOT_USER_AGENTS.search(user_agent) is not None
