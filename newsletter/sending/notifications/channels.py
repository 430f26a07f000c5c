"""Send a notification by email and by the editor's command."""

import datetime
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from newsletter.errors import NewsletterError, ProviderError
from newsletter.project import Project
from newsletter.project.editor_command import (
    describe_exit,
    get_last_line,
    kill_group,
    read_end,
    withhold_secrets,
)
from newsletter.sending.notifications.notification import Notification, clean_line
from newsletter.sending.providers.registry import get_provider

COMMAND_TIMEOUT_SECONDS = 30.0
# How long the output of a command that has failed is waited for.
MAX_OUTPUT_WAIT_SECONDS = 1.0


class ChannelResult(NamedTuple):
    """Whether a notification was sent by one channel.

    Attributes:
        channel: ``by email`` or ``by notify.command``.
        failure: why it was not; empty if it was.
    """

    channel: str
    failure: str


def send_notification(
    project: Project,
    notification: Notification,
    environment: Mapping[str, str],
    timeout: float = COMMAND_TIMEOUT_SECONDS,
) -> list[ChannelResult]:
    """Send a notification by every channel that is set; no failure of one is raised.

    Args:
        project: the editor's folder.
        notification: the notification.
        environment: holds the API key.
        timeout: seconds after which the command is killed, a request is given up, and no further
            address is notified.
    """
    settings = project.config.notify
    senders = []
    if settings.command:
        senders.append(("by notify.command", _run_command))
    if settings.email:
        senders.append(("by email", _send_emails))
    results = []
    for channel, send in senders:
        failure = ""
        try:
            send(project, notification, environment, timeout)
        except (NewsletterError, OSError) as error:
            failure = clean_line(str(error))
        except Exception as error:  # noqa: BLE001 - no send may fail because of its notification
            failure = clean_line(f"{type(error).__name__}: {error}")
        results.append(ChannelResult(channel, failure))
    return results


def _send_emails(
    project: Project, notification: Notification, environment: Mapping[str, str], timeout: float
) -> None:
    provider = get_provider(project.config)
    give_up_at = time.monotonic() + timeout
    messages = set()
    with provider.connect(environment, timeout) as client:
        # One request each: a wrong address must not keep the others from being notified.
        for address in project.config.notify.email:
            if time.monotonic() > give_up_at:
                messages.add(f"not all addresses within {timeout:g} s")
                break
            body = provider.build_notification(notification.subject, notification.text, address)
            response = client.post_mail(body)
            outcome = provider.classify(response, datetime.datetime.now(datetime.UTC))
            if outcome.kind != "accepted":
                prefix = f"{provider.facts.name}: " if outcome.status else ""
                messages.add(prefix + outcome.message)
    if messages:
        raise ProviderError("; ".join(sorted(messages)))


def _run_command(
    project: Project, notification: Notification, environment: Mapping[str, str], timeout: float
) -> None:
    """Run the editor's command, and kill it with what it has started if it takes too long.

    Raises:
        NewsletterError: it can't be started, failed, or took too long.
    """
    command = [*project.config.notify.command, notification.subject]
    # A file and not a pipe: nothing waits for a program that doesn't read.
    with tempfile.TemporaryFile() as stdin:
        stdin.write(json.dumps(notification.as_data()).encode() + b"\n")
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - the editor's own, without a shell
                command, cwd=project.root, env=withhold_secrets(environment), stdin=stdin,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise NewsletterError(f"{command[0]} can't be started: {error.strerror}") from None
        # Not a file: a program that writes without end must not fill the disk.
        output = bytearray()
        reader = threading.Thread(target=read_end, args=(process.stderr, output), daemon=True)
        reader.start()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise NewsletterError(f"{command[0]} did not end within {timeout:g} s") from None
        finally:
            if process.poll() is None:
                kill_group(process)
                process.wait()
        if code:
            # What it has left behind may never close the pipe.
            reader.join(MAX_OUTPUT_WAIT_SECONDS)
            message, line = f"{command[0]} {describe_exit(code)}", get_last_line(bytes(output))
            raise NewsletterError(f"{message}: {line}" if line else message)
