import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project_with_readers(project_folder: Path, cli: Cli) -> Path:
    active = "".join(f"r{number}@example.com,active\n" for number in range(1200))
    others = "".join(
        f"l{number}@example.com,{status}\n"
        for number, status in enumerate(
            ["unsubscribed"] * 30 + ["bounced"] * 20 + ["complained"] * 10 + ["pending"] * 5
        )
    )
    (project_folder / "readers.csv").write_text(f"email,status\n{active}{others}")
    cli("subscribers", "import", "readers.csv")
    return project_folder


@pytest.mark.usefixtures("project_with_readers")
def test_stats_fit_the_terminal(cli: Cli) -> None:
    code, out, err = cli("subscribers", "stats", "--weeks", "2")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert max(map(len, lines)) <= 80
    assert lines[:2] == [
        "1,265 readers: 1,200 active, 5 pending, 30 unsubscribed, 20 bounced, 10",
        "  complained",
    ]
    weeks = lines[lines.index("") + 2 :][:2]
    assert weeks[0].split()[3:] == ["0", "0", "+0", "0"]
    assert weeks[1].split()[3:] == ["1,200", "0", "+1,200", "1,200", "█" * 28]
    source = next(line for line in lines if "readers.csv" in line)
    assert source.split()[-2:] == ["1,265", "1,200"]


@pytest.mark.usefixtures("project_with_readers")
def test_stats_as_json(cli: Cli) -> None:
    code, out, _ = cli("subscribers", "stats", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["by_status"]["active"] == 1200
    assert len(data["weeks"]) == 12
    assert data["weeks"][-1]["active"] == 1200
    assert data["months"][-1]["churn"] is None
    assert data["sources"][0]["readers"] == 1265
    assert data["tags"] == []


@pytest.mark.parametrize("readers", ["none", "project_with_readers"])
def test_stats_show_refused_sign_ups(
    cli: Cli, project_folder: Path, request: pytest.FixtureRequest, readers: str
) -> None:
    if readers != "none":
        request.getfixturevalue(readers)
    cli("subscribers", "stats")
    rows = [("2026-10", "honeypot", 1234), ("2026-11", "honeypot", 5), ("2026-11", "ip_limit", 7)]
    with closing(sqlite3.connect(project_folder / "newsletter.db")) as connection, connection:
        connection.executemany("INSERT INTO refused_signup VALUES (?, ?, ?)", rows)
    lines = cli("subscribers", "stats")[1].splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("refused sign-ups"))
    assert max(map(len, lines)) <= 80
    assert lines[start].split() == ["refused", "sign-ups", "in", "all", "in", "2026-11"]
    assert [line.split() for line in lines[start + 1 : start + 3]] == [
        ["honeypot", "1,239", "5"],
        ["ip", "limit", "7", "7"],
    ]
    data = json.loads(cli("subscribers", "stats", "--json")[1])
    assert data["refused_signups"][-1] == {
        "month": "2026-10",
        "reason": "honeypot",
        "signups": 1234,
    }


def test_plot_option_writes_a_chart(cli: Cli, project_with_readers: Path) -> None:
    code, out, _ = cli("subscribers", "stats", "--plot", "growth.svg")
    assert (code, out.splitlines()[-1]) == (0, "growth.svg")
    assert (
        b"Harbour Notes: 1,200 active readers" in (project_with_readers / "growth.svg").read_bytes()
    )
    assert [
        path.name for path in project_with_readers.iterdir() if path.name.startswith(".growth")
    ] == []


def test_unsupported_plot_format_is_rejected_first(cli: Cli, project_with_readers: Path) -> None:
    code, out, err = cli("subscribers", "stats", "--plot", "growth.jpg")
    assert (code, out) == (2, "")
    assert "neither .svg nor .png" in err
    assert not (project_with_readers / "growth.jpg").exists()


@pytest.mark.usefixtures("project_folder")
def test_stats_of_an_empty_list(cli: Cli) -> None:
    assert cli("subscribers", "stats")[:2] == (
        0,
        "The list is empty. Fill it with: newsletter subscribers import FILE.csv\n",
    )


@pytest.mark.usefixtures("project_with_readers")
def test_stats_show_tags_in_any_script(cli: Cli) -> None:
    for tag, name in (("vip", "r1"), ("vip", "r2"), ("مرحبا", "r1")):
        cli("subscribers", "tag", tag, "--address", f"{name}@example.com")
    lines = cli("subscribers", "stats", "--weeks", "1")[1].splitlines()
    rows = lines[lines.index("") :]
    start = next(index for index, line in enumerate(rows) if line.startswith("tag "))
    assert [row.split()[-1] for row in rows[start + 1 :]] == ["2", "1"]


def test_png_plot_without_library_suggests_svg_or_install(
    cli: Cli, project_with_readers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    code, _, err = cli("subscribers", "stats", "--plot", "growth.png")
    assert code == 2
    assert "pip install cairosvg" in err
    assert not (project_with_readers / "growth.png").exists()
