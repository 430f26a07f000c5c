"""``newsletter serve`` does not start where each sign-up would fail."""

from collections.abc import Callable
from pathlib import Path

Cli = Callable[..., tuple[int, str, str]]


def test_database_of_another_newsletter_is_not_served(project_folder: Path, cli: Cli) -> None:
    settings = project_folder / "newsletter.yml"
    text = "".join(
        line
        for line in settings.read_text().splitlines(keepends=True)
        if not line.startswith("id:")
    )
    settings.write_text(f"id: harbour-1\n{text}")
    assert cli("subscribers", "add", "ada@example.com")[0] == 0
    settings.write_text(f"id: mountain-2\n{text}")
    code, out, err = cli("serve", "--port", "0")
    assert (code, out) == (1, "")
    assert "the database belongs to another newsletter, with the id harbour-1" in err
