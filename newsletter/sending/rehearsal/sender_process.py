"""Run the sender in a separate process that a rehearsal can kill.

``python -m newsletter.sending.rehearsal.sender_process FOLDER ISSUE BATCH_SIZE``: the environment
names the fake SendGrid and the scratch database. It does what ``newsletter send`` does.
"""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

from newsletter.config import Config
from newsletter.config.urls import FALLBACK_PUBLIC_URL
from newsletter.db import database_engine
from newsletter.errors import NewsletterError
from newsletter.project import Project, open_project
from newsletter.sending.delivery.observer import NullObserver
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.rehearsal.fault_plan import READ_TIMEOUT
from newsletter.sending.service import confirm_plan, deliver, plan

CONCURRENCY = 4


def run_rehearsal_sender(folder: Path, issue: str, batch_size: int) -> None:
    """Send an issue until it is done or stops.

    Raises:
        NewsletterError: it can't be sent.
    """
    real_project = open_project(folder)
    project = Project(real_project.root, rehearsal_config(real_project.config, batch_size))
    with database_engine(project.config.database, project.root, project.config.id) as engine:
        context = confirm_plan(plan(project, issue, engine))
        with get_provider(project.config).connect(os.environ) as client:
            deliver(context, client, lambda _: nullcontext(NullObserver()), CONCURRENCY)


def rehearsal_config(config: Config, batch_size: int) -> Config:
    """Return the settings with the timeouts and the batch size of a rehearsal.

    Without a way to unsubscribe, readers' own links get the fallback host, where the rehearsal
    opens them; nothing of it reaches anybody.
    """
    has_pages = config.public_url or config.sendgrid.asm_group
    sendgrid = {"connect_timeout": READ_TIMEOUT, "read_timeout": READ_TIMEOUT, "sandbox": False}
    return config.model_copy(
        update={
            "public_url": config.public_url if has_pages else FALLBACK_PUBLIC_URL,
            "sendgrid": config.sendgrid.model_copy(update=sendgrid),
            "limits": config.limits.model_copy(update={"batch_size": batch_size}),
        }
    )


if __name__ == "__main__":
    try:
        run_rehearsal_sender(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except NewsletterError as error:
        sys.exit("\n".join(map(str, error.problems)))
