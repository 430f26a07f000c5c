"""``notify`` in newsletter.yml: one value or several, words or text, its defaults."""

from collections.abc import Callable

import pytest

from newsletter.config import Config
from newsletter.config.notify import NOTIFICATION_KINDS

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize("text", ["", "notify:\n", "notify: {}\n", "notify:\n  on:\n"])
def test_nobody_is_notified_by_default(load: Load, text: str) -> None:
    notify = load(text).notify
    assert (notify.is_set, notify.email, notify.command) == (False, (), ())
    assert notify.on == NOTIFICATION_KINDS
    assert notify.no_events_after == 6


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("email: ada@x.org", "email", ("ada@x.org",)),
        ("email: [ada@x.org, bo@bücher.example]", "email",
         ("ada@x.org", "bo@xn--bcher-kva.example")),
        ("command: notify-send 'Harbour Notes' {x} $HOME", "command",
         ("notify-send", "Harbour Notes", "{x}", "$HOME")),
        ("command: [curl, --data-raw]", "command", ("curl", "--data-raw")),
        ("on: blocked", "on", ("blocked",)),
        ("on: [blocked, no_events]", "on", ("blocked", "no_events")),
        ("on: []", "on", ()),
        ("no_events_after: 0", "no_events_after", 0),
        ("no_events_after: 1.5", "no_events_after", 1.5),
    ],
)  # fmt: skip
def test_value(load: Load, text: str, name: str, value: object) -> None:
    assert getattr(load(f"notify:\n  {text}\n").notify, name) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("email: nobody", "'nobody' is not a valid email address"),
        ("email: [ada@x.org, 'a b@x.org']", "notify.email[2]: 'a b@x.org' is not a valid email"),
        ('command: ["", x]', "an argument of a command can't be empty"),
        ('command: "notify-send \'x"', "is not a valid command"),
        ("on: [finished, ended]", "this must be 'started', 'finished', 'blocked', "),
        ("no_events_after: 161", "less than or equal to 160"),
        ("no_events_after: -1", "greater than or equal to 0"),
        ("emails: x", "Did you mean 'email'?"),
    ],
)
def test_mistake_is_explained(get_problems: Problems, text: str, problem: str) -> None:
    [found] = get_problems(f"notify:\n  {text}\n")
    assert found.startswith("newsletter.yml:7: ")
    assert problem in found
