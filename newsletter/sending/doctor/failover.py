"""Check whether the database has failed over, and lacks recent changes."""

import datetime
import json

import sqlalchemy as sa

from newsletter.db.identity import FAILOVER_KEY
from newsletter.db.schema import setting
from newsletter.db.stored_settings import read_setting
from newsletter.sending.doctor_check import DoctorCheck, warn
from newsletter.sending.feedback.suppression_sync import SYNC_KEY_PREFIX
from newsletter.sending.providers.registry import get_facts


def check_failover(connection: sa.Connection) -> list[DoctorCheck]:
    """Return a warning if the database has failed over since the provider's lists were fetched."""
    note = read_setting(connection, FAILOVER_KEY)
    if note is None:
        return []
    noticed_at = datetime.datetime.fromisoformat(json.loads(note)["at"])
    is_sync = setting.c.key.startswith(SYNC_KEY_PREFIX, autoescape=True)
    synced_at = connection.scalars(sa.select(setting.c.value).where(is_sync))
    if any(datetime.datetime.fromisoformat(value) > noticed_at for value in synced_at):
        return []
    return [
        warn(
            "database",
            f"it has failed over to another server, as was noticed on {noticed_at:%Y-%m-%d}",
            "If that server lacked the last commits, what readers did just before is lost: who "
            "unsubscribed then still gets email.",
            f"Bring back what {get_facts().name} knows with: newsletter subscribers sync",
        )
    ]
