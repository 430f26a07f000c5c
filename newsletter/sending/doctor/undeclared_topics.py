"""Check that topics that readers don't want are declared, and offered."""

from collections.abc import Iterator

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.errors import display_path
from newsletter.project import Project
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


def check_offered_topics(project: Project) -> Iterator[DoctorCheck]:
    """Yield a warning if the project's own preferences page, of an older version, has no topics."""
    page = project.templates_dir / "web" / "preferences.html"
    if not project.config.preferences.topics or not page.is_file():
        return
    if "topics" not in page.read_text("utf-8", errors="replace"):
        yield warn(
            "topics",
            f"{display_path(page)} doesn't show preferences.topics",
            "Readers can't opt out of a topic there.",
            "Delete it to use this version's page, or copy the form with the topics from that.",
        )
