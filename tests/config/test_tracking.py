"""The setting tracking: off, ask or all, for both actions at once or for each of them."""

from collections.abc import Callable

import pytest

from newsletter.config import Config

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("more", "modes"),
    [
        ("", ("off", "off")),
        ("tracking:\n", ("off", "off")),
        ("tracking:\n  #opens: ask\n", ("off", "off")),
        # YAML 1.1 reads the unquoted word as false.
        ("tracking: off\n", ("off", "off")),
        ("tracking: 'off'\n", ("off", "off")),
        ("tracking: no\n", ("off", "off")),
        ("tracking: false\n", ("off", "off")),
        ("tracking: ask\n", ("ask", "ask")),
        ("tracking: all\n", ("all", "all")),
        ("tracking: true\n", ("all", "all")),
        ("tracking: on\n", ("all", "all")),
        ("tracking: {opens: true}\n", ("all", "off")),
        ("tracking: {opens: false, clicks: true}\n", ("off", "all")),
        ("tracking: {opens: ask, clicks: off}\n", ("ask", "off")),
        ("tracking: {clicks: 'off', opens: all}\n", ("all", "off")),
        ("tracking: {wording: Yes. You may., clicks: ask}\n", ("off", "ask")),
    ],
)
def test_modes(load: Load, more: str, modes: tuple[str, str]) -> None:
    tracking = load(more).tracking
    assert (tracking.opens, tracking.clicks) == modes


SHAPE = "tracking: this must be off, ask or all, or a section with opens and clicks"
WORD = "this must be 'off', 'ask' or 'all', not"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("tracking: maybe\n", SHAPE),
        ("tracking: 1\n", SHAPE),
        ("tracking: [opens]\n", SHAPE),
        ("tracking: {opens: maybe}\n", f"tracking.opens: {WORD} 'maybe'. Example: opens: ask"),
        ("tracking: {clicks: 1}\n", f"tracking.clicks: {WORD} '1'"),
        ("tracking: {clicks:}\n", "tracking.clicks: the value is missing"),
        ("tracking: {opened: ask}\n", "unknown key 'opened'. Did you mean 'opens'?"),
        ("tracking: {wording: ''}\n", "tracking.wording: this can't be empty"),
    ],
)
def test_mistakes_are_explained(get_problems: Problems, more: str, message: str) -> None:
    (problem,) = get_problems(more)
    assert message in problem
