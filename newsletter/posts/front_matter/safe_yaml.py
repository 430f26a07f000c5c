"""Safe YAML for front matter: data only, bounded size, YAML 1.2 scalars."""

import re
from typing import Any

import yaml

_MAX_DEPTH = 20
_MAX_NODES = 10_000


class FrontMatterLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2's core schema, and dates.

    YAML 1.1 reads ``No`` as false, ``12:30`` as 750 and ``1_000`` as 1000: surprises in a title.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - the base class's own attribute


for _tag, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)$", "~nN"),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})$", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]+$", "-+0123456789"),
    ("merge", r"<<$", "<"),
    (
        "timestamp",
        r"\d{4}-\d\d-\d\d(?:[Tt ]+\d\d:\d\d:\d\d(?:\.\d*)?\s*(?:Z|[-+]\d\d:?\d\d)?)?$",
        "0123456789",
    ),
):
    # The empty first character means an empty scalar, which only null's pattern matches.
    FrontMatterLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), ["", *_first]
    )


def check_yaml_limits(block: str) -> None:
    """Reject nested aliases that would expand a small file into a big one, and deep nesting.

    Reads the event stream, which is neither recursive nor expanded.

    Raises:
        yaml.YAMLError: the text is not YAML, or exceeds the limits.
    """
    loader = FrontMatterLoader(block)
    try:
        _check_events(loader)
    except (ValueError, OverflowError) as error:  # PyYAML at "\UFFFFFFFF"
        raise yaml.MarkedYAMLError(
            problem="no character has the number in this escape", problem_mark=loader.get_mark()
        ) from error


def _check_events(loader: FrontMatterLoader) -> None:
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in iter(loader.get_event, None):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes[anchor or ""] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _limit_error(f"unknown alias *{event.anchor}", event)
            total += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            sizes[event.anchor or ""] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
        if len(open_nodes) > _MAX_DEPTH or total > _MAX_NODES:
            raise _limit_error(f"more than {_MAX_NODES:,} values or {_MAX_DEPTH} levels", event)


def _limit_error(problem: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
