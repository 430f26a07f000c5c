"""A report as plain data, for a script: see docs/how-to/report.md for what each key is."""

from dataclasses import asdict
from typing import Any

from newsletter.reports.model import (
    COMPLAINTS_LOOK,
    COMPLAINTS_STOP,
    Curve,
    Domain,
    Rates,
    Report,
    Tally,
)


def as_data(of: Report) -> dict[str, Any]:
    """All of a report. Shares are numbers from 0 to 1, or null of nothing."""
    counts, fates = of.counts, of.counts.fates
    return {
        "issue": of.issue,
        "subject": of.subject,
        "sent_at": of.sent_at.isoformat(timespec="seconds"),
        "made_at": of.made_at.isoformat(timespec="seconds"),
        "sent": of.sent,
        **asdict(fates),
        "adds_up": of.sent == fates.sum,
        "not_sent": dict(of.others),
        "bounces": dict(counts.bounces),
        "drops": dict(counts.drops),
        "deferred": counts.deferred,
        "still_deferred": counts.still_deferred,
        "unsubscribed": counts.unsubscribed,
        "complaints": counts.complaints,
        "complaint_lines": {
            "look": COMPLAINTS_LOOK, "stop": COMPLAINTS_STOP, "state": of.complaint_state,
        },
        "tracking": {"opens": of.tracking[0], "clicks": of.tracking[1]},
        "opens": _tally(of.opens),
        "clicks": _tally(of.clicks),
        "links": [asdict(link) for link in of.links] if of.clicks else None,
        "domains": [_domain(domain) for domain in counts.domains],
        "hours": {
            "delivered": _curve(counts.delivered),
            "opened": _curve(of.opens.curve) if of.opens else None,
            "clicked": _curve(of.clicks.curve) if of.clicks else None,
        },
        "rates": _rates(of.rates),
        "medians": {"issues": of.compared, **_rates(of.medians)},
    }  # fmt: skip


def _tally(of: Tally | None) -> dict[str, int] | None:
    if of is None:
        return None
    return {key: value for key, value in asdict(of).items() if key != "curve"}


def _curve(of: Curve) -> dict[str, Any]:
    return {"by_hour": list(of.hours), "later": of.later}


def _domain(of: Domain) -> dict[str, Any]:
    """The name of all others together is null."""
    return {**asdict(of), "name": of.name or None}


def _rates(of: Rates) -> dict[str, float | None]:
    return asdict(of)
