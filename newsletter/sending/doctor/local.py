"""Check settings, key, templates and database, without the network."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.checks.rules.delivery import FREE_MAIL_DOMAINS
from newsletter.config import Config
from newsletter.db import database_engine, read_transaction
from newsletter.db.engine import sqlite_file
from newsletter.db.identity import find_retirement, read_owner
from newsletter.db.schema import event, send, subscriber
from newsletter.errors import NewsletterError
from newsletter.events.unreadable_store import summarize_unreadable
from newsletter.project import Project
from newsletter.project.folder import list_issue_folders
from newsletter.render.article.links import get_host
from newsletter.render.issue_folder import render_issue_folder
from newsletter.render.template.loader import load_templates
from newsletter.sending.doctor.failover import check_failover
from newsletter.sending.doctor.partitions import check_partitions
from newsletter.sending.doctor.private_data import check_private_data
from newsletter.sending.doctor.single_emails import check_single_emails
from newsletter.sending.doctor.undeclared_topics import (
    check_offered_topics,
    check_undeclared_topics,
)
from newsletter.sending.doctor.waiting_sends import check_waiting_sends
from newsletter.sending.doctor.workers import check_workers
from newsletter.sending.doctor_check import DoctorCheck, fail, fail_for_problem, ok, warn
from newsletter.sending.ledger.copied_database import find_copy
from newsletter.sending.planning.preflight import find_settings_problems
from newsletter.sending.providers.registry import get_provider
from newsletter.wording import format_count

_MAX_CLOCK_SKEW = datetime.timedelta(minutes=5)


def check_local_setup(
    project: Project, environment: Mapping[str, str], now: Callable[[], datetime.datetime]
) -> Iterator[DoctorCheck]:
    """Yield all checks that need no network; nothing is sent.

    Args:
        project: the editor's folder.
        environment: the environment variables, with the key.
        now: returns the time, aware.
    """
    config = project.config
    yield from _check_settings(config)
    provider = get_provider(config)
    yield from provider.check_key(environment)
    yield _check_sender(config)
    yield from _check_unsubscribe_url(config)
    yield _check_image_address(config)
    yield provider.check_webhook()
    yield from _check_tracking(config)
    yield _check_templates(project)
    yield from check_offered_topics(project)
    yield from check_single_emails(project, now().date())
    yield from _check_database(project, now())


def _check_settings(config: Config) -> Iterator[DoctorCheck]:
    problems = [fail_for_problem("settings", problem) for problem in find_settings_problems(config)]
    yield from problems
    if not problems:
        yield ok("settings", "newsletter.yml is valid and has a postal address")


def _check_sender(config: Config) -> DoctorCheck:
    domain = sender_domain(config)
    if domain in FREE_MAIL_DOMAINS:
        return fail(
            "sender",
            f"email is sent from {config.sender.address}",
            "Only the service itself may send from there: most email is rejected (DMARC).",
            "Send from an address at your own domain.",
        )
    hosts = {get_host(url) for url in (config.site_url, config.public_url) if url}
    other_hosts = sorted(host for host in hosts if not _are_related(host, domain))
    if other_hosts:
        return warn(
            "sender",
            f"email is sent from {domain}, but links lead to {', '.join(other_hosts)}",
            "Spam filters trust an email more if its links lead to the sender's domain.",
            "Use one domain for sender.address, site_url and public_url if you can.",
        )
    return ok("sender", f"{config.sender.address}, at the site's domain")


def sender_domain(config: Config) -> str:
    """Return the domain of the ``From`` address (RFC 5322)."""
    return config.sender.address.rpartition("@")[2].lower()


def _are_related(first: str, second: str) -> bool:
    """Return whether two domains are the same, one is a subdomain, or they share a parent.

    This is a guess: the public suffix list is not used.
    """
    related = first.endswith(f".{second}") or second.endswith(f".{first}") or first == second
    return related or (first.count(".") > 1 and first.partition(".")[2] == second.partition(".")[2])


def _check_unsubscribe_url(config: Config) -> Iterator[DoctorCheck]:
    group = config.sendgrid.asm_group
    if not config.public_url:
        # Without either, the check of the settings has failed already.
        yield from [ok("unsubscribing", f"on SendGrid's own page, group {group}")] if group else ()
    elif not config.public_url.startswith("https://"):
        yield warn(
            "unsubscribing",
            f"public_url is {config.public_url}",
            "Only this machine can open it: readers could not unsubscribe.",
            "Set public_url to the https URL of newsletter serve.",
        )
    else:
        yield ok("unsubscribing", f"at {config.public_url}")


def _check_image_address(config: Config) -> DoctorCheck:
    address = config.image_url or config.public_url
    if not address:
        return warn(
            "images",
            "neither image_url nor public_url is set",
            "Images beside a post have no address: a send of an issue that has some is refused.",
            "Set public_url and run newsletter serve; or set image_url to a static host and use "
            "newsletter archive --issue SLUG --publish; or use images with an https address.",
        )
    setting = "image_url" if config.image_url else "public_url"
    if not address.startswith("https://"):
        return warn(
            "images",
            f"{setting} is {address}",
            "Only this machine can open it: readers could not see the images.",
            "Set it to an https address on the internet.",
        )
    return ok("images", f"images beside a post are at {address}")


def _check_tracking(config: Config) -> Iterator[DoctorCheck]:
    if actions := sorted(config.tracking.unconditional, reverse=True):
        yield warn(
            "tracking",
            f"{' and '.join(actions)} of every reader are recorded (tracking: all)",
            "In some countries, Italy and France among them, that takes each reader's consent.",
            "To ask readers, and record nothing of the others: tracking: ask in newsletter.yml.",
        )


def _check_templates(project: Project) -> DoctorCheck:
    folders = list_issue_folders(project)
    try:
        if not folders:
            load_templates(project.templates_dir)
            return ok("templates", "they can be read; there is no issue yet to render")
        render_issue_folder(project, folders[-1])
    except NewsletterError as error:
        return fail_for_problem("templates", error.problems[0])
    return ok("templates", f"{folders[-1].name} renders without errors")


def _check_database(project: Project, now: datetime.datetime) -> Iterator[DoctorCheck]:
    config = project.config
    local = f"{now.astimezone(ZoneInfo(config.timezone)):%a %d %b %Y %H:%M}"
    clock = ok("clock", f"it is {local} in {config.timezone}")
    try:
        file = sqlite_file(config.database, project.root)
        if file is not None and not file.is_file():
            yield warn(
                "database",
                "there is no database yet",
                "There is nobody to send to.",
                "Add subscribers with: newsletter subscribers import FILE.csv",
            )
            yield clock
            return
        with database_engine(config.database, project.root, config.id) as engine:
            count, latest = _query_list(engine)
            copied = find_copy(engine)
            with read_transaction(engine) as connection:
                owner = read_owner(connection)
                warnings = _check_durability(connection)
                warnings += check_failover(connection)
                warnings += check_partitions(connection)
                warnings += _check_unreadable_events(connection, now)
                warnings += check_private_data(connection, project, file)
                warnings += check_undeclared_topics(connection, config)
            schedule = [*check_workers(engine), *check_waiting_sends(engine, config)]
    except NewsletterError as error:
        yield fail_for_problem("database", error.problems[0])
        yield clock
        return
    readers = format_count(count, "reader")
    if retired := find_retirement(engine):
        yield fail_for_problem("database", retired.problems[0])
    elif config.id and owner not in {"", config.id}:
        yield fail(
            "database",
            f"it belongs to another newsletter, with the id {owner}",
            "Every command that writes to it is refused.",
            "Set database: in newsletter.yml to a database of its own.",
        )
    elif owner and not config.id:
        yield warn(
            "database",
            f"newsletter.yml has no id; the database belongs to the newsletter {owner}",
            "Nothing keeps this newsletter from writing to another one's database.",
            f"If it is the same newsletter, set in newsletter.yml: id: {owner}",
        )
    else:
        yield ok("database", f"up to date; {readers} may be mailed")
    if copied:
        yield fail_for_problem("database", copied.as_problem())
    yield from warnings
    yield from schedule
    if latest and latest > now + _MAX_CLOCK_SKEW:
        yield fail(
            "clock",
            f"it is {local} here, but a record is dated {latest:%Y-%m-%d %H:%M} UTC",
            "Scheduled sends would go out, and links expire, at the wrong time.",
            "Synchronize this machine's clock (NTP).",
        )
    else:
        yield clock


def _check_durability(connection: sa.Connection) -> list[DoctorCheck]:
    """Return warnings if a PostgreSQL server can lose what it has confirmed.

    Transactions of newsletter wait for the disk whatever ``synchronous_commit`` is; these settings
    are the server's alone (postgresql.org/docs/current/runtime-config-wal.html, -replication.html).
    """
    if connection.dialect.name != "postgresql":
        return []
    checks = []
    off = [
        name
        for name in ("fsync", "full_page_writes")
        if connection.scalar(sa.text(f"SHOW {name}")) == "off"
    ]
    if off:
        checks.append(
            warn(
                "database",
                f"{' and '.join(off)} of PostgreSQL {'is' if len(off) == 1 else 'are'} off",
                "If the server crashes during a send, readers can get it twice.",
                f"Set {' and '.join(off)} to on in postgresql.conf.",
            )
        )
    standbys = connection.scalar(sa.text("SELECT count(*) FROM pg_stat_replication"))
    if standbys and not connection.scalar(sa.text("SHOW synchronous_standby_names")):
        checks.append(
            warn(
                "database",
                "PostgreSQL has standby servers, none of them synchronous",
                "If one takes over during a send, readers can get it twice.",
                "Set synchronous_standby_names, or hold sends until the old server is back.",
            )
        )
    return checks


def _check_unreadable_events(
    connection: sa.Connection, now: datetime.datetime
) -> list[DoctorCheck]:
    """Return a warning if something was received as an event and is not understood."""
    count, newest_at, dropped_count = summarize_unreadable(connection)
    if newest_at is None:
        return []
    age = _format_age(int((now - newest_at).total_seconds() // 3600))
    dropped = f"; {dropped_count:,} older ones were dropped" if dropped_count else ""
    return [
        warn(
            "events",
            f"{count:,} received and not understood, the latest {age} ago{dropped}",
            "If one says that a reader has unsubscribed or complained, they still get email.",
            "Look at them with: newsletter events unreadable",
        )
    ]


def _format_age(hours: int) -> str:
    if hours < 1:
        return "less than an hour"
    number, unit = (hours // 24, "day") if hours >= 24 else (hours, "hour")  # noqa: PLR2004 - a day
    return format_count(number, unit)


def _query_list(engine: sa.Engine) -> tuple[int, datetime.datetime | None]:
    """Return how many subscribers may be mailed, and the latest time on record."""
    with read_transaction(engine) as connection:
        count = connection.scalar(sa.select(sa.func.count()).where(subscriber.c.status == "active"))
        times = [
            connection.scalar(sa.select(sa.func.max(column)))
            for column in (send.c.frozen_at, event.c.at)
        ]
    return count or 0, max((time for time in times if time), default=None)
