"""A complete send, against a loop over SendGrid's own client.

From the frozen plan to done. The list is in SQLite with its full ledger; the provider is a sink in
its own process on loopback, which reads requests and responds with 202.

    python benchmarks/bench_send.py --readers 1000000 --latency 0.1 --concurrency 32
"""

import argparse
import datetime
import gc
import multiprocessing
import os
import resource
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.http_sink import running_sink
from newsletter.config import Config
from newsletter.db import database_engine, read_transaction
from newsletter.db.bulk import BulkStatement
from newsletter.db.schema import subscriber
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTag
from newsletter.render.email import Email, NamedAddress
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.sending.delivery import prepare_batch, response_recorder, sender
from newsletter.sending.delivery.worker_pool import WorkerPool
from newsletter.sending.ledger.record import Ledger, count_recipients_by_state, get_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import SendGridEmail, prepare_email
from newsletter.sending.providers.sendgrid.provider import SendGridProvider
from newsletter.subscribers import Recipient, iter_audience

GOAL = 7.0
BASELINE = 10_000
BATCH = 1_000
KEY = "SG.bench.key"
NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")
SITE = "https://news.harbour-notes.org"
COLUMNS = ("address", "address_key", "name", "status", "attributes", "token", "joined_at")


def make_config(url: str) -> Config:
    return Config.model_validate(
        {
            "name": "Harbour Notes",
            "sender": {"name": "Harbour Notes", "address": "editor@harbour-notes.org"},
            "postal_address": "Harbour Notes, 1 Quay Street, Bergen",
            "site_url": "https://harbour-notes.org",
            "public_url": SITE,
            "sendgrid": {"host": url},
            "limits": {"batch_size": BATCH},
        },
        strict=False,
    )


def make_email() -> Email:
    unsubscribe, name = UNSUBSCRIBE_TAG.token, NAME.token
    return Email(
        issue="2026-12-01-ice",
        subject=f"The ice let go, {name('text')}",
        preheader="",
        html=f"<p>Dear {name('html')}</p>"
        + "<p>word</p>" * 3_000
        + f'<a href="{unsubscribe("html")}">Leave</a> '
        f'<a href="{PREFERENCES_TAG.token("html")}">More</a>',
        text=f"Dear {name('text')}\n" + "word\n" * 1_000 + unsubscribe("text"),
        sender=NamedAddress("Harbour Notes", "editor@harbour-notes.org"),
        reply_to=None,
        headers=(("List-Id", "Harbour Notes <notes.harbour-notes.org>"),),
        merge_tags=(NAME,),
        language="en",
        view_online_url="",
    )


def add_subscribers(engine: sa.Engine, count: int) -> None:
    names = (*COLUMNS, "updated_at")
    values = {name: sa.bindparam(name, type_=sa.String) for name in names}
    bulk = BulkStatement(sa.insert(subscriber).values(values), engine.dialect, names)
    now = NOW.isoformat(timespec="microseconds")
    for start in range(0, count, 10_000):
        rows = [
            (f"reader{n}@example.com", f"reader{n}@example.com", f"Reader {n}", "active", "{}",
             secrets.token_urlsafe(16), now, now)
            for n in range(start, min(start + 10_000, count))
        ]  # fmt: skip
        with engine.begin() as connection:
            bulk.execute(connection, rows)


class SilentObserver:
    """An observer without a display, which never asks to stop."""

    stop_requested = False

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def advance(self, recipient_count: int) -> None:
        pass

    def notify(self, text: str) -> None:
        print(text)


class Clocks(Counter[str]):
    """Seconds of the thread that owns the ledger, by step."""

    def wrap(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return work(*args, **options)
            finally:
                self[name] += time.perf_counter() - started  # type: ignore[assignment]

        return timed


def send(folder: Path, url: str, concurrency: int) -> dict[str, Any]:
    """Send to everybody on the list; return the seconds by step, CPU seconds and memory."""
    gc.set_threshold(100_000, 20, 20)  # as in the command
    clocks = Clocks()
    for owner, name, label in (
        (sender, "claim_batches", "claim"),
        (prepare_batch, "load_recipients", "read"),
        (SendGridProvider, "build_request", "build"),
        (sender, "mark_in_flight", "mark"),
        (WorkerPool, "get_completed", "wait"),
        (response_recorder, "record_batch_results", "record"),
    ):
        setattr(owner, name, clocks.wrap(label, getattr(owner, name)))
    config = make_config(url)
    with database_engine("sqlite:///list.db", folder) as engine:
        ledger, prepared_email = Ledger(engine), prepare_email(make_email(), config)
        client = SendGridClient(KEY, config.sendgrid)
        gc.collect()
        started = time.perf_counter()
        frozen = freeze_send(ledger, prepared_email)
        clocks["freeze"] = time.perf_counter() - started  # type: ignore[assignment]
        times_before = os.times()
        assert (
            sender.BatchSender(
                ledger, frozen, prepared_email, client, SilentObserver(), concurrency=concurrency
            ).run()
            is None
        )
        seconds = time.perf_counter() - started
        times_after = os.times()
        client.close()
        record = get_send(ledger, frozen.issue)
        assert record is not None
        assert record.state == "done"
        assert count_recipients_by_state(ledger, frozen) == {"accepted": frozen.total}
    return {
        "readers": frozen.total,
        "seconds": seconds,
        "clocks": dict(clocks),
        "cpu": times_after.user + times_after.system - times_before.user - times_before.system,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_own_process(work: Callable[..., Any], *args: Any) -> Any:
    """Run a function in a new interpreter, so that its memory can be measured."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, args)


def run_baseline(folder: Path, url: str) -> float:
    """Send with the provider's classes and client, as in its guide; return seconds per email."""
    import sendgrid

    prepared_email = prepare_email(make_email(), make_config(url))
    with (
        database_engine("sqlite:///list.db", folder) as engine,
        read_transaction(engine) as connection,
    ):
        started = time.perf_counter()
        client = sendgrid.SendGridAPIClient(KEY, host=url)
        recipients: list[Recipient] = []
        count = 0
        for recipient in iter_audience(connection):
            recipients.append(recipient)
            count += 1
            if len(recipients) == BATCH:
                client.send(build_with_helpers(prepared_email, recipients))
                recipients = []
            if count == BASELINE:
                break
        if recipients:
            client.send(build_with_helpers(prepared_email, recipients))
        return (time.perf_counter() - started) / count


def build_with_helpers(prepared_email: SendGridEmail, recipients: list[Recipient]) -> Any:
    from sendgrid.helpers.mail import CustomArg, From, Header, Mail, Substitution, To

    source = prepared_email.email
    message = Mail(
        from_email=From(source.sender.address, source.sender.name),
        to_emails=[
            To(
                recipient.address,
                recipient.attributes["name"],
                substitutions=[
                    *(
                        Substitution(NAME.token(target), NAME.value(recipient.attributes, target))
                        for target in ("html", "text")
                    ),
                    *(
                        Substitution(token, f"{SITE}/u/{recipient.token}")
                        for token in prepared_email.personal_links
                    ),
                ],
            )
            for recipient in recipients
        ],
        subject=source.subject,
        plain_text_content=source.text,
        html_content=source.html,
        is_multiple=True,
    )
    # The helper classes insert each new personalization before the others.
    for index, recipient in enumerate(reversed(recipients)):
        for name, value in build_unsubscribe_headers(prepared_email.config, recipient.token):
            message.header = Header(name, value, p=index)
        message.custom_arg = CustomArg("nl_subscriber", str(recipient.id), p=index)
    return message


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--latency", type=float, default=0.0, help="of the sink, in seconds")
    parser.add_argument("--concurrency", type=int, default=sender.CONCURRENCY)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_sink(options.latency) as sink:
        folder, url = Path(name), sink.url
        with database_engine("sqlite:///list.db", folder) as engine:
            add_subscribers(engine, options.readers)
        # The baseline before and after: the speed of a shared machine changes.
        before = in_own_process(run_baseline, folder, url)
        result = in_own_process(send, folder, url, options.concurrency)
        baseline_rate = 2 / (before + in_own_process(run_baseline, folder, url))
    report(result, baseline_rate, options)


def report(result: dict[str, Any], baseline_rate: float, options: argparse.Namespace) -> None:
    count, seconds, clocks = result["readers"], result["seconds"], result["clocks"]
    sending = seconds - clocks["freeze"]
    print(
        f"{count:,} readers, sink's latency {options.latency * 1000:.0f} ms, "
        f"{options.concurrency} requests at once, SQLite with synchronous=FULL"
    )
    print(f"freeze and send {count / seconds:10,.0f} recipients/s  {seconds:6.2f} s")
    print(
        f"send            {count / sending:10,.0f} recipients/s  {sending:6.2f} s "
        f" {count / sending / baseline_rate:5.1f} x  goal {GOAL:.0f} x"
    )
    print(f"SendGrid client {baseline_rate:10,.0f} recipients/s             1.0 x")
    print(
        f"peak memory     {result['megabytes']:10.0f} MB; "
        f"CPU of all its threads while sending {result['cpu']:.2f} s"
    )
    clocks["rest"] = seconds - sum(clocks.values())
    print("seconds: " + ", ".join(f"{name} {spent:.2f}" for name, spent in clocks.items()))


if __name__ == "__main__":
    main()
