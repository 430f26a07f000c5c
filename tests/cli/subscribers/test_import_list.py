import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.cli.subscribers import import_list

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def readers_file(project_folder: Path) -> Path:
    path = project_folder / "readers.csv"
    path.write_text("email,name,age\nada@example.com,Ada,36\nbo@gmial.com,Bo,40\ninfo@b.com,I,\n")
    return path


def list_by_address(cli: Cli) -> dict[str, dict[str, object]]:
    lines = cli("subscribers", "list", "--json", "--limit", "0")[1].splitlines()
    return {row["address"]: row for row in map(json.loads, lines)}


def test_doubtful_addresses_are_reported(cli: Cli, readers_file: Path) -> None:
    code, out, err = cli("subscribers", "import", readers_file.name)
    assert code == 0
    assert "  doubtful  2 imported, but check them\n" in out
    assert err.splitlines() == [
        "    row 3: 'bo@gmial.com' may be a typo of gmail.com",
        "    row 4: 'info@b.com' is a shared mailbox",
    ]


def test_file_whose_name_is_not_utf_8_is_imported(cli: Cli, project_folder: Path) -> None:
    path = project_folder / os.fsdecode(b"bl\xe5.csv")
    path.write_text("email\nada@example.com\nbo@\n")
    code, out, _ = cli("subscribers", "import", path.name)
    assert (code, "  new      1 active\n" in out) == (1, True)
    assert list_by_address(cli)["ada@example.com"]["source"] == "import bl\\xe5.csv:2"
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr("readers.csv", "email\ncy@example.com\n")
    assert cli("subscribers", "import", path.with_suffix(".zip").name)[0] == 0
    assert list_by_address(cli)["cy@example.com"]["source"] == "import bl\\xe5.zip/readers.csv:2"


def test_dry_run_counts_reasons_for_refused_rows(cli: Cli, project_folder: Path) -> None:
    (project_folder / "more.csv").write_text(
        "email,status\nada@,active\nbo@,active\ncy@example.com,asleep\nold@example.com,cleaned\n"
    )
    code, out, _ = cli("subscribers", "import", "more.csv", "--dry-run")
    assert code == 1
    lines = [line.split(None, 1) for line in out.splitlines()]
    assert ["new", "1 bounced"] in lines
    assert ["refused", "3"] in lines
    assert "1 is not a known status" in out
    assert out.endswith("Nothing was changed: this was a dry run.\n")
    assert not list(project_folder.glob("*.refused.*"))


def test_tag_option_tags_every_imported_reader(cli: Cli, readers_file: Path) -> None:
    assert (
        cli("subscribers", "import", readers_file, "--tag", "fair", "--tag", " book fair ")[0] == 0
    )
    out = cli("subscribers", "export", "--format", "jsonl")[1]
    assert json.loads(out.splitlines()[1])["tags"] == ["book fair", "fair"]
    assert cli("subscribers", "import", readers_file, "--tag", " ")[0] == 1


def test_resubscribe_needs_consent(cli: Cli, project_folder: Path) -> None:
    (project_folder / "gone.csv").write_text("email,status\nada@example.com,unsubscribed\n")
    (project_folder / "back.csv").write_text("email\nada@example.com\n")
    cli("subscribers", "import", "gone.csv")
    kept_out = "  kept out  1 unsubscribed in the list; an import does not resubscribe them\n"
    assert kept_out in cli("subscribers", "import", "back.csv")[1]
    for incomplete in (
        ["--resubscribe"],
        ["--consent", "the fair"],
        ["--resubscribe", "--consent", " "],
    ):
        code, _, err = cli("subscribers", "import", "back.csv", *incomplete)
        assert code == 2
        assert "go together" in " ".join(err.split())
    args = ("--resubscribe", "--consent", "the book fair, 3 May")
    code, out, _ = cli("subscribers", "import", "back.csv", *args)
    assert code == 0
    assert "  back     1 resubscribed, with the consent that you stated\n" in out
    assert list_by_address(cli)["ada@example.com"]["status"] == "active"
    exported = cli("subscribers", "export", "--format", "jsonl", "--journal")[1]
    last = json.loads(exported.splitlines()[1])["journal"][-1]
    assert (last["change"], last["wording"]) == ("resubscribed", "the book fair, 3 May")
    assert last["source"] == "import back.csv:2"


def test_zip_is_reported_file_by_file(cli: Cli, project_folder: Path) -> None:
    header = "Email Address,First Name,OPTIN_TIME,CONFIRM_TIME,LEID,EUID,TAGS\n"
    with zipfile.ZipFile(project_folder / "audience.zip", "w") as archive:
        archive.writestr("subscribed_1.csv", header + "ada@example.com,Ada,,,1,a,\nbroken,,,,,,\n")
        archive.writestr("unsubscribed_1.csv", header + "bo@example.com,Bo,,,2,b,\n")
        archive.writestr("orders.csv", "id\n1\n")
    code, out, err = cli("subscribers", "import", "audience.zip")
    assert code == 1
    assert [line for line in out.splitlines() if "row" in line] == [
        "audience.zip/unsubscribed_1.csv: 1 row, UTF-8, an export of Mailchimp",
        "audience.zip/subscribed_1.csv: 2 rows, UTF-8, an export of Mailchimp",
    ]
    assert out.endswith("Next: correct audience.zip.subscribed_1.csv.refused.csv and import it.\n")
    assert "skipped orders.csv: no column of email addresses found" in err
    lines = cli("subscribers", "import", "audience.zip", "--json")[1].splitlines()
    first, second = map(json.loads, lines)
    assert first["passed_over"].keys() == {"orders.csv"}
    assert (second["service"], second["unchanged"], second["refused"]) == ("Mailchimp", 1, 1)
    assert second["refused_because"]
    assert second["peak_memory_mb"] > 0


def test_zip_over_the_size_limit_is_rejected(cli: Cli, project_folder: Path) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("limits:\n  list_bytes: 1000\n")
    with zipfile.ZipFile(project_folder / "lists.zip", "w") as archive:
        archive.writestr("a.csv", "email\n" + "x" * 2_000)
    code, _, err = cli("subscribers", "import", "lists.zip")
    assert code == 1
    assert "more than 1,000 bytes" in err
    assert "limits.list_bytes" in err


def test_large_import_reports_peak_memory(
    cli: Cli, readers_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Peak memory" not in cli("subscribers", "import", readers_file)[1]
    monkeypatch.setattr(import_list, "MEMORY_REPORT_ROWS", 3)
    out = cli("subscribers", "import", readers_file)[1]
    memory_line = next(line for line in out.splitlines() if line.startswith("Peak memory: "))
    assert memory_line.endswith(" MB")


def test_bidirectional_overrides_in_rows_are_escaped(cli: Cli, project_folder: Path) -> None:
    (project_folder / "more.csv").write_text("email,status\na@b.com,\u202eevitca\n")
    _, _, err = cli("subscribers", "import", "more.csv")
    assert "\u202e" not in err
    assert "\\u202eevitca" in err


def test_consent_columns_are_reported(cli: Cli, project_folder: Path) -> None:
    (project_folder / "fair.csv").write_text(
        "email,consent,double_opt_in,newsletter_no_7\n"
        "yes@example.com,yes,yes,a\nno@example.com,no,no,b\nask@example.com,yes,no,\n"
        "odd@example.com,perhaps,yes,\n"
    )
    code, out, err = cli("subscribers", "import", "fair.csv")
    assert code == 1
    assert "  no email  to 1 unsubscribed, 1 pending in the file\n" in out
    assert "row 5: 'perhaps' is neither yes nor no, in the column consent" in err
    assert "the column 'newsletter_no_7' looks like consent" in err
    statuses = {address: row["status"] for address, row in list_by_address(cli).items()}
    assert statuses == {
        "yes@example.com": "active",
        "no@example.com": "unsubscribed",
        "ask@example.com": "pending",
    }
    data = json.loads(cli("subscribers", "import", "fair.csv", "--json")[1])
    assert data["not_active"] == {"unsubscribed": 1, "pending": 1}
    assert len(data["notices"]) == 1


def test_file_of_readers_who_left_makes_nobody_active(cli: Cli, project_folder: Path) -> None:
    (project_folder / "unsubscribed.csv").write_text("email\nleft@example.com\n")
    code, out, _ = cli("subscribers", "import", "unsubscribed.csv")
    assert code == 0
    assert "all unsubscribed, by the file's name\n" in out
    assert list_by_address(cli)["left@example.com"]["status"] == "unsubscribed"


def test_many_skipped_files_are_listed_in_short(cli: Cli, project_folder: Path) -> None:
    with zipfile.ZipFile(project_folder / "all.zip", "w") as archive:
        archive.writestr("readers.csv", "email\nada@example.com\n")
        for number in range(9):
            archive.writestr(f"posts/{number}.html", "<p>")
    code, _, err = cli("subscribers", "import", "all.zip")
    assert code == 0
    assert "skipped posts/4.html: not a CSV file\n    skipped 4 more: not a CSV file\n" in err
    data = json.loads(cli("subscribers", "import", "all.zip", "--json")[1])
    assert len(data["passed_over"]) == 9


def test_zip_with_an_unreadable_list_of_those_who_left_is_refused(
    cli: Cli, project_folder: Path
) -> None:
    with zipfile.ZipFile(project_folder / "all.zip", "w") as archive:
        archive.writestr("readers.csv", "email\nada@example.com\n")
        archive.writestr("unsubscribed.xlsx", "x")
    code, _, err = cli("subscribers", "import", "all.zip")
    assert (code, "unsubscribed.xlsx" in err) == (1, True)
    assert list_by_address(cli) == {}


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_zip_bomb_takes_no_memory(limited_cli: Cli, project_folder: Path, compression: int) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("limits: {list_bytes: 10000000}\n")
    path = project_folder / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", compression) as archive,
        archive.open("readers.csv", "w") as file,
    ):
        # What is refused by its compression is never unpacked, so a smaller one will do.
        megabytes = 500 if compression == zipfile.ZIP_DEFLATED else 20
        for _ in range(megabytes):
            file.write(bytes(1_000_000))
    if compression != zipfile.ZIP_DEFLATED:  # a size that no limit forbids
        declared = (megabytes * 1_000_000).to_bytes(4, "little")
        path.write_bytes(path.read_bytes().replace(declared, (50).to_bytes(4, "little")))
    code, out, err = limited_cli("subscribers", "import", path.name, megabytes=450)
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: bomb.zip: ")
    if compression == zipfile.ZIP_DEFLATED:
        assert "the files in the ZIP have more than 10,000,000 bytes in total" in err
    else:
        assert "'readers.csv' in the ZIP is compressed with" in err
