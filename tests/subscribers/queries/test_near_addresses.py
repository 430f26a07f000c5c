"""Near addresses: which are suggested, which are not, and that nothing is corrected by itself."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from ready_to_send import Cli

from newsletter.subscribers.queries.near_addresses import count_typos, find_near_addresses

LIST = (
    "Ada.Lovelace@example.com", "ada@example.com", "grace.hopper@navy.example",
    "grace.hopper@yale.example", "bob@example.com", "rob@example.com", "karl.berg@example.no",
)  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("ada.lovelace@example.org", ["Ada.Lovelace@example.com"]),
        ("ada.lovelac@example.com", ["Ada.Lovelace@example.com"]),
        ("aad.lovelace@example.com", ["Ada.Lovelace@example.com"]),
        ("xda.lovelace@example.com", ["Ada.Lovelace@example.com"]),
        ("ada.lovelaec@example.con", ["Ada.Lovelace@example.com"]),
        ("ada.lovelace@old-provider.org", ["Ada.Lovelace@example.com"]),
        ("grace.hopper@navi.example", ["grace.hopper@navy.example"]),
        ("grace.hopper@elsewhere.org", ["grace.hopper@navy.example", "grace.hopper@yale.example"]),
        ("ob@example.com", ["bob@example.com", "rob@example.com"]),
        ("karlberg@example.no", ["karl.berg@example.no"]),
        ("ida@example.com", ["ada@example.com"]),
        ("ira@example.com", []),  # half of a short name differs
        ("ada@elsewhere.org", []),  # a short name is not a person's at any domain
        ("zoe@example.com", []),
    ],
)
def test_near_addresses(
    import_text: Callable[..., object], engine: sa.Engine, typed: str, near: list[str]
) -> None:
    import_text("email\n" + "\n".join(LIST) + "\n")
    with engine.connect() as connection:
        assert find_near_addresses(connection, typed) == near


def test_any_typo_is_found_in_a_list_of_any_length(
    import_text: Callable[..., object], engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.subscribers.queries.near_addresses._NEIGHBOURS", 0)
    import_text("email\n" + "\n".join(LIST) + "\n")
    typed = ("aad.lovelace@example.com", "xda.lovelace@example.com", "da.lovelace@example.com",
             "aada.lovelace@example.com", "ada.lovelace@example.cmo")  # fmt: skip
    with engine.connect() as connection:
        for address in typed:
            assert find_near_addresses(connection, address) == ["Ada.Lovelace@example.com"]


@pytest.mark.parametrize(
    ("text", "other", "count"),
    [("", "", 0), ("ab", "ba", 1), ("abc", "", 3), ("abcd", "acbd", 1), ("kitten", "sitting", 3)],
)
def test_typos_are_counted(text: str, other: str, count: int) -> None:
    assert count_typos(text, other) == count_typos(other, text) == count


def test_commands_suggest_near_addresses_and_change_nothing(newsletter: Cli) -> None:
    for command in (
        "show {}", "remove {}", "rotate-token {}", "erase {} --yes", "tag vip --address {}",
        "untag vip --address {}", "explain {}",
    ):  # fmt: skip
        args = command.format("raeder7@example.com").split()
        code, out, err = newsletter("subscribers", *args)
        assert "not in the list. Did you mean reader7@example.com?" in out + err
        assert code == (0 if "explain" in command else 1)
    _, out, _ = newsletter("subscribers", "show", "reader7@example.com")
    assert out.startswith("reader7@example.com: active")


def test_commands_suggest_near_issues(newsletter: Cli) -> None:
    assert newsletter("plan", "ice")[0] == 0
    for command, typed in (
        ("check", "teh-ice"), ("build", "2026-12-01-the-icee"), ("status", "The-Cie"),
        ("who", "teh-ice"), ("report", "2026-12-10-the-ice"),
    ):  # fmt: skip
        code, _, err = newsletter(command, typed)
        assert (code, "Did you mean 2026-12-01-the-ice?" in err) == (1, True)
