"""Run the checks on an issue, for the preview's list of findings."""

from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from newsletter.checks.analysis.client_support import PUBLISHED_SHARES, ClientShares
from newsletter.checks.earlier_emails import load_earlier_emails
from newsletter.checks.load_context import (
    get_used_attributes,
    load_check_context,
    load_longest_values,
)
from newsletter.checks.runner import check_with_exceptions
from newsletter.db import read_transaction
from newsletter.events.user_agents import load_client_shares
from newsletter.preview.rendered_issues import Rendering


@lru_cache(maxsize=1)  # while the preview is open: too slow to query at each save
def _load_cached_shares(engine: sa.Engine) -> ClientShares:
    return load_client_shares(engine)


def build_findings_data(rendering: Rendering, engine: sa.Engine | None) -> dict[str, Any]:
    """Return the checks' findings, with the longest values in the subscriber list."""
    longest_values = (
        load_longest_values(engine, get_used_attributes(rendering.email)) if engine else {}
    )
    client_shares = _load_cached_shares(engine) if engine else PUBLISHED_SHARES
    context = load_check_context(
        rendering.project, rendering.rendered, longest_values, client_shares
    )
    if engine:
        with read_transaction(engine) as connection:
            earlier_emails = load_earlier_emails(connection, rendering.issue.name)
        context = replace(context, earlier_emails=earlier_emails)
    result = check_with_exceptions(context)
    return {
        "findings": [
            {
                **asdict(finding),
                "file": finding.where.path if finding.where else "",
                "line": finding.where.line if finding.where else None,
            }
            for finding in result.findings
        ],
        "allowed": dict(result.exceptions),
    }
