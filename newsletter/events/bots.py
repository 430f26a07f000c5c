"""Which opens and clicks a program made, not the reader. Pure.

SendGrid marks what Apple's mail fetches ahead. The others are known by their User-Agent: link
scanners of mail gateways, previews of chat programs, and tools. The image proxies of Gmail and
Yahoo are not among them: they fetch when the reader looks. What a scanner that poses as a browser
does is known by its haste alone, which the report looks at: see
``newsletter.reports.engagement``.
"""

import re
from functools import lru_cache

from newsletter.events.parse import Event

_TRACKED = frozenset({"open", "click"})
_BOT_USER_AGENTS = re.compile(
    # Programs that say what they are.
    r"bot\b|crawler|spider|scanner|preview|facebookexternalhit|whatsapp"
    r"|headless|phantomjs|python-|^python|aiohttp|okhttp|libwww|go-http-client|java/|curl/|wget/"
    # Gateways that open every link of a mail.
    r"|barracuda|mimecast|proofpoint|trend ?micro|symantec|messagelabs|sophos|ironport"
    r"|forcepoint|websense|fortinet|fortiguard|cisco|zscaler|safelinks|fireeye|trustwave"
    # Nothing but this: mail privacy protection and scanners.
    r"|^mozilla/\d\.\d$",
    re.IGNORECASE,
)


def is_bot_event(event: Event) -> bool:
    """Whether an open or a click is a program's; other events are nobody's doing."""
    if event.type not in _TRACKED:
        return False
    if event.raw.get("sg_machine_open") is True:
        return True
    agent = event.raw.get("useragent")
    return isinstance(agent, str) and _is_bot_user_agent(agent.strip()[:1_000])


@lru_cache(maxsize=10_000)  # many readers, few mail programs
def _is_bot_user_agent(user_agent: str) -> bool:
    return _BOT_USER_AGENTS.search(user_agent) is not None
