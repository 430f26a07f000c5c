"""Fixture: a deployment with every value that a printed file could have."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from newsletter.web.deployment import Deployment

MakeDeployment = Callable[..., Deployment]


@pytest.fixture
def make_deployment() -> MakeDeployment:
    """Return a function that makes a deployment, altered as its arguments say."""
    usual = Deployment(
        title="Harbour Notes",
        service="newsletter-harbour-notes",
        folder=Path("/srv/harbour-notes"),
        program=("/opt/newsletter/bin/newsletter",),
        program_folders=(Path("/opt/newsletter/bin"), Path("/usr/bin")),
        user="notes",
        owner=(1001, 1002),
        host="127.0.0.1",
        port=8000,
        metrics_port=None,
        public_url="https://letters.harbournotes.example",
        database_folder=Path("/srv/harbour-notes"),
        has_list=False,
        trusted_proxies=("127.0.0.1", "::1"),
        request_seconds=40.0,
        version="1.2.3",
    )

    def make(**changes: Any) -> Deployment:
        return replace(usual, **changes)

    return make
