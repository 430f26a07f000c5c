"""The fields of a plan that a pull request approves."""

import datetime
from typing import Any

POST = "issues/2026-12-01-the-ice/post.md"
ONE, TWO = "1" * 64, "2" * 64
FIELDS: dict[str, Any] = {
    "newsletter": "harbour-notes-7f3a",
    "issue": "2026-12-01-the-ice",
    "subject": "The ice",
    "preheader": "It let go on Tuesday",
    "sender": "Harbour Notes <editor@harbour-notes.org>",
    "reply_to": "",
    "topic": "",
    "segment": {"name": "regulars", "query": "tag:regular"},
    "repeat_article": False,
    "readers": {"count": 100, "left_out": {"unsubscribed": 3}},
    "checks": {"warnings": 0, "hints": 1, "allowed": {}},
    "email": {"content": ONE, "html": ONE, "text": ONE, "headers": ONE},
    "files": {POST: ONE},
    "templates": {"templates/issue.mjml": ONE, "templates/article.css": ONE},
    "settings": {"theme.width": 640, "tracking.opens": "off"},
    "version": "0.2.0",
    "made": datetime.date(2026, 11, 30),
}
