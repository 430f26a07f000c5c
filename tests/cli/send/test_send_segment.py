"""``newsletter send --segment``: to the readers of a segment, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsletter.sending.rehearsal import FakeSendGrid

Cli = Callable[..., tuple[int, str, str]]

SETTINGS = """\
name: Harbour Notes
sender:
  name: Harbour Notes
  address: editor@harbour-notes.org
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
segments:
  north: city = Bergen
"""
READERS = """\
email,city,status
ada@example.com,Bergen,active
bo@example.com,Oslo,active
cy@example.com,Bergen,unsubscribed
di@example.com,Bergen,active
"""


@pytest.fixture
def fake_sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as running:
        yield running


@pytest.fixture
def newsletter(
    project_folder: Path, cli: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Return the command line in a project with one issue and four readers."""
    (project_folder / "newsletter.yml").write_text(SETTINGS)
    (project_folder / "issues" / "2026-12-01-ice").mkdir()
    (project_folder / "issues" / "2026-12-01-ice" / "post.md").write_text("# Ice\n\nIt let go.\n")
    (project_folder / "readers.csv").write_text(READERS)
    assert cli("subscribers", "import", "readers.csv")[0] == 0
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", fake_sendgrid.url)
    return cli


@pytest.mark.parametrize("segment", ["north", "city = bergen and not status:bounced"])
def test_only_readers_of_the_segment_are_sent_to(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, segment: str
) -> None:
    code, out, _ = newsletter("send", "ice", "--segment", segment, typed="2\n")
    assert code == 0
    assert segment in out
    assert "1 unsubscribed, 1 not in the segment" in out
    addresses = sorted(email.address for email in fake_sendgrid.accepted)
    assert addresses == ["ada@example.com", "di@example.com"]
    assert newsletter("subscribers", "count", "sent:ice")[1].startswith("2 of 4 readers")


def test_dry_run_writes_only_the_segment(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    code, out, _ = newsletter("send", "ice", "--dry-run", "--segment", "north", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["readers"] == 2
    assert data["left_out"] == {"unsubscribed": 1, "not in the segment": 1}
    assert fake_sendgrid.requests == []


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("status:bounced", "nobody in the segment 'status:bounced' may be mailed"),
        ("nroth", "there is no segment 'nroth'. Did you mean 'north'?"),
        ("city ~", "the last value is missing"),
    ],
)
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_empty_or_invalid_segment_is_refused(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    segment: str,
    message: str,
    dry_run: tuple[str, ...],
) -> None:
    code, _, err = newsletter("send", "ice", "--yes", "--segment", segment, *dry_run)
    assert code == 1
    assert message in err
    assert fake_sendgrid.requests == []
