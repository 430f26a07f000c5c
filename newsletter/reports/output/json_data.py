"""Convert a report to JSON data; its keys are in docs/how-to/report.md."""

from dataclasses import asdict
from typing import Any

from newsletter.reports.bounce_reasons import get_advice
from newsletter.reports.model import (
    COMPLAINT_RATE_LIMIT,
    COMPLAINT_RATE_WARNING,
    DomainCounts,
    EngagementCounts,
    GrowthSinceIssue,
    SendRates,
    SendReport,
    TimeCurve,
)


def report_to_dict(report: SendReport) -> dict[str, Any]:
    """Return a report as plain data. Rates are numbers from 0 to 1, or null."""
    counts, delivery = report.counts, report.counts.delivery
    return {
        "issue": report.issue,
        "subject": report.subject,
        "sent_at": report.sent_at.isoformat(timespec="seconds"),
        "made_at": report.made_at.isoformat(timespec="seconds"),
        "sent": report.sent,
        **asdict(delivery),
        "adds_up": report.sent == delivery.total,
        "not_sent": dict(report.not_accepted),
        "catch_ups": dict(report.catch_ups),
        "bounces": dict(counts.bounces),
        "drops": dict(counts.drops),
        "advice": {
            reason: get_advice(reason)._asdict() for reason in {**counts.bounces, **counts.drops}
        },
        "deferred": counts.deferred,
        "still_deferred": counts.still_deferred,
        "unsubscribed": counts.unsubscribed,
        "complaints": counts.complaints,
        "complaint_lines": {
            "look": COMPLAINT_RATE_WARNING,
            "stop": COMPLAINT_RATE_LIMIT,
            "state": report.complaint_state,
        },
        "tracking": {"opens": report.tracking[0], "clicks": report.tracking[1]},
        "agreed": {
            "opens": report.agreed[0] and asdict(report.agreed[0]),
            "clicks": report.agreed[1] and asdict(report.agreed[1]),
        },
        "opens": _engagement_to_dict(report.opens),
        "clicks": _engagement_to_dict(report.clicks),
        "links": [asdict(link) for link in report.links] if report.clicks else None,
        "domains": [_domain_to_dict(domain) for domain in counts.domains],
        "hours": {
            "delivered": _curve_to_dict(counts.delivery_curve),
            "opened": _curve_to_dict(report.opens.curve) if report.opens else None,
            "clicked": _curve_to_dict(report.clicks.curve) if report.clicks else None,
        },
        "rates": _rates_to_dict(report.rates),
        "growth": _growth_to_dict(report.growth),
        "medians": {"issues": report.compared, **_rates_to_dict(report.medians)},
    }


def _engagement_to_dict(engagement: EngagementCounts | None) -> dict[str, int] | None:
    if engagement is None:
        return None
    return {
        key: value for key, value in asdict(engagement).items() if key not in {"curve", "agreed"}
    }


def _curve_to_dict(curve: TimeCurve) -> dict[str, Any]:
    return {"by_hour": list(curve.hours), "by_day": list(curve.days), "later": curve.later}


def _growth_to_dict(growth: GrowthSinceIssue | None) -> dict[str, Any] | None:
    if growth is None:
        return None
    return {
        "issue": growth.issue,
        "since": growth.since.isoformat(timespec="seconds"),
        "joined": growth.joined,
        "left": growth.left,
        "net": growth.net,
    }


def _domain_to_dict(domain: DomainCounts) -> dict[str, Any]:
    """Return the counts of a domain; the name of all others together is null."""
    return {**asdict(domain), "name": domain.name or None}


def _rates_to_dict(rates: SendRates) -> dict[str, float | None]:
    return asdict(rates)
