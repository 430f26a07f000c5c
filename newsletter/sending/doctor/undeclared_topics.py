"""Check that newsletter.yml declares each topic that readers don't want."""

from collections.abc import Iterator

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.sending.doctor_check import DoctorCheck, warn
from newsletter.subscribers.topics import count_opt_outs
from newsletter.wording import format_count


def check_undeclared_topics(connection: sa.Connection, config: Config) -> Iterator[DoctorCheck]:
    """Yield a warning for each topic that was removed, or renamed, since readers opted out."""
    declared = {topic.casefold() for topic in config.preferences.topics}
    for topic, count in count_opt_outs(connection).items():
        if topic not in declared:
            verb = "has" if count == 1 else "have"
            yield warn(
                "topics",
                f"{format_count(count, 'reader')} {verb} opted out of '{topic}', which "
                "newsletter.yml doesn't declare",
                "If it has another name now, they get its issues again.",
                "If so, give it this name again in preferences.topics, and change its label.",
            )
