"""``newsletter send --segment``: to some of the readers, over real HTTP."""

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
def vendor() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as double:
        yield double


@pytest.fixture
def newsletter(
    project_folder: Path, cli: Cli, vendor: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """The command line in a folder with one issue and four readers."""
    (project_folder / "newsletter.yml").write_text(SETTINGS)
    (project_folder / "issues" / "2026-12-01-ice").mkdir()
    (project_folder / "issues" / "2026-12-01-ice" / "post.md").write_text("# Ice\n\nIt let go.\n")
    (project_folder / "readers.csv").write_text(READERS)
    assert cli("subscribers", "import", "readers.csv")[0] == 0
    monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
    monkeypatch.setenv("SENDGRID_HOST", vendor.url)
    return cli


@pytest.mark.parametrize("segment", ["north", "city = bergen and not status:bounced"])
def test_only_the_segment_gets_it(newsletter: Cli, vendor: FakeSendGrid, segment: str) -> None:
    code, out, _ = newsletter("send", "ice", "--segment", segment, typed="2\n")
    assert code == 0
    assert segment in out
    assert "1 unsubscribed, 1 not in the segment" in out
    assert sorted(one.address for one in vendor.accepted) == ["ada@example.com", "di@example.com"]
    assert newsletter("subscribers", "count", "sent:ice")[1].startswith("2 of 4 readers")


def test_a_dry_run_writes_the_segment_alone(newsletter: Cli, vendor: FakeSendGrid) -> None:
    code, out, _ = newsletter("send", "ice", "--dry-run", "--segment", "north", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["readers"] == 2
    assert data["left_out"] == {"unsubscribed": 1, "not in the segment": 1}
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("status:bounced", "nobody in the segment 'status:bounced' may be mailed"),
        ("nroth", "there is no segment 'nroth'. Did you mean 'north'?"),
        ("city ~", "the last value is missing"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_segment_of_nobody_or_of_nothing_is_refused(
    newsletter: Cli, vendor: FakeSendGrid, segment: str, message: str, dry: tuple[str, ...]
) -> None:
    code, _, err = newsletter("send", "ice", "--yes", "--segment", segment, *dry)
    assert code == 1
    assert message in err
    assert vendor.requests == []
