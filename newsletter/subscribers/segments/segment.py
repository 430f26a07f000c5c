"""Find a segment by its name in newsletter.yml, or parse it as a query."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db.schema import attribute
from newsletter.errors import Location, Problem, SubscriberListError
from newsletter.subscribers.segments.ast import Query
from newsletter.subscribers.segments.ast_builder import KnownNames
from newsletter.subscribers.segments.known_sends import load_known_sends
from newsletter.subscribers.segments.parser import parse_query
from newsletter.subscribers.segments.to_sql import Condition, build_condition
from newsletter.subscribers.tags import list_tags

if TYPE_CHECKING:
    from newsletter.subscribers.attribute_types import AttributeType

SETTINGS_FILE = "newsletter.yml"
_NAME = re.compile(r"[\w-]+")
_ATTRIBUTE_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Segment:
    """A query over subscribers, as text, as a syntax tree and as an SQL condition.

    Attributes:
        name: the name in newsletter.yml; ``""`` for a query without a name.
        text: the query as the editor wrote it.
        query: the query as parsed, in which ``30 days ago`` has become a certain day.
        condition: the query as a condition on the ``subscriber`` table.
    """

    name: str
    text: str
    query: Query
    condition: Condition

    def __str__(self) -> str:
        return self.name or self.text


def find_segment(
    connection: sa.Connection,
    name_or_query: str,
    config: Config,
    now: datetime.datetime,
    *,
    besides: str = "",
) -> Segment:
    """Return the segment that has this name in newsletter.yml, or parse a query.

    Args:
        connection: a connection to the list, whose tags, attributes and issues a query may name.
        name_or_query: the name or the query.
        config: the newsletter's settings.
        now: the time to which ``30 days ago`` refers, an aware datetime.
        besides: the issue whose audience is queried: its own send doesn't count in the query.

    Raises:
        SubscriberListError: there is no such name, the query is not valid, or it tests opens,
            clicks or deliveries of a send for which they are not known.
    """
    name, text = find_segment_text(name_or_query, config)
    zone = ZoneInfo(config.timezone)
    try:
        known = load_known_names(connection, config, besides)
        query = parse_query(text, known, now.astimezone(zone).date())
    except SubscriberListError as error:
        if not name:
            raise
        where = Location(SETTINGS_FILE, config.get_segment_line(name))
        problems = [
            Problem(f"segments.{name}: {problem.message}", where, problem.remedy)
            for problem in error.problems
        ]
        raise SubscriberListError.from_problems(problems) from error
    return Segment(name, text, query, build_condition(query, zone))


def find_segment_text(name_or_query: str, config: Config) -> tuple[str, str]:
    """Return name and query of a segment in newsletter.yml, or ``""`` and the query as given.

    Raises:
        SubscriberListError: there is no segment of that name.
    """
    name = name_or_query.strip()
    if name in config.segments:
        return name, config.segments[name]
    if _NAME.fullmatch(name):
        raise _unknown_segment_error(name, config.segments)
    return "", name_or_query


def load_known_names(connection: sa.Connection, config: Config, besides: str = "") -> KnownNames:
    """Return the names that a query over this list may use, without the issue ``besides``."""
    types: dict[str, AttributeType] = dict.fromkeys(config.attributes, "text")
    types.pop("name", None)  # a built-in field
    types |= dict(connection.execute(sa.select(attribute.c.name, attribute.c.type)).all())
    return KnownNames(
        tags=tuple(list_tags(connection)),
        attributes={
            name: type_ for name, type_ in types.items() if _ATTRIBUTE_NAME.fullmatch(name)
        },
        sends=load_known_sends(connection, besides),
    )


def _unknown_segment_error(name: str, segments: Mapping[str, str]) -> SubscriberListError:
    near = get_close_matches(name, segments, n=1)
    if near:
        hint = f"Did you mean '{near[0]}'?"
    elif segments:
        hint = f"There are: {', '.join(segments)}."
    else:
        hint = f"Define it in newsletter.yml, or write a query: 'tag:{name}'"
    return SubscriberListError(f"there is no segment '{name}'", remedy=hint)
