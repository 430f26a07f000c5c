"""``newsletter serve`` and ``worker`` say how many connections to PostgreSQL they open at most."""

import signal

import pytest
from sender_process import SenderProject


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.mark.parametrize(
    ("command", "connections"),
    [
        (("serve", "--port", "0"), 16 + 4),  # four for the process that sends what is due
        (("worker", "--queues", "sends"), 9 + 4 + 1),
    ],
)
def test_number_of_connections_is_printed(
    sender_project: SenderProject, command: tuple[str, ...], connections: int
) -> None:
    process = sender_project.start(*command)
    lines = iter(process.stdout.readline, "")
    printed = next((line for line in lines if "connections" in line), "")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    # As the tests' server is configured: max_connections 50, 3 of them for superusers.
    assert printed.startswith(f"It opens up to {connections} connections; the server has 47, ")
