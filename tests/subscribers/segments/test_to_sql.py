"""SQL conditions select the same subscribers as a straightforward evaluation in Python."""

import datetime
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.db import open_database
from newsletter.db.schema import (
    RECIPIENT_STATES,
    STATUSES,
    batch,
    event,
    send,
    send_recipient,
    subscriber,
    subscriber_tag,
)
from newsletter.errors import SubscriberListError
from newsletter.subscribers.segments.ast import (
    BUILTIN_FIELDS,
    And,
    Comparison,
    HasEngagement,
    HasField,
    HasSource,
    HasStatus,
    HasTag,
    Not,
    Or,
    Query,
    SegmentField,
    iter_terms,
)
from newsletter.subscribers.segments.ast_builder import KnownNames
from newsletter.subscribers.segments.known_sends import KnownSend, load_known_sends
from newsletter.subscribers.segments.parser import parse_query
from newsletter.subscribers.segments.to_sql import build_condition

OSLO = ZoneInfo("Europe/Oslo")
TODAY = datetime.date(2026, 11, 22)
NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
TYPES: Any = {"city": "text", "age": "number", "member": "boolean", "birthday": "date"}
ISSUES = ("2026-01-01-ice", "2026-02-01-tide", "2026-03-01-fog")
# Daylight saving time in Oslo begins on 29 March and ends on 25 October.
DAYS = [datetime.date(2026, 3, 28), datetime.date(2026, 3, 29), datetime.date(2026, 3, 30),
        datetime.date(2026, 10, 25), datetime.date(2026, 10, 26)]  # fmt: skip
TEXTS = ["Oslo", "oslo", "os", "Tromsø", "tromsØ", "100%", "1_0", "a/b", "'; DROP", "\\", '"', "ß",
         "SS", "\u1e9e", "\u0130", "I", "\u0131", "\ufb01", "[a]", "*", "^", "TROMS", "true", "18",
         "2026-03-29", "-"]  # fmt: skip
ADDRESSES = ["ada@example.com", "a_a@example.com", "axa@example.com", "Ada@m\u00fcnchen.de",
             "ada@sub.example.com", "o'brien+x@oslo.no"]  # fmt: skip


@dataclass(frozen=True)
class Person:
    id: int
    address: str
    name: str
    status: str
    source: str
    joined: datetime.datetime
    confirmed: datetime.datetime | None
    attributes: dict[str, Any]
    tags: frozenset[str]
    copies: dict[str, str] = field(default_factory=dict)  # issue -> state of the recipient
    events: frozenset[tuple[str, str]] = frozenset()  # (issue, type, or "bot" for a bot's open)

    @property
    def key(self) -> str:
        return self.address.lower().replace("m\u00fcnchen", "xn--mnchen-3ya")


def fold(text: str) -> str:
    """Ignore the case of each letter that is one letter in both cases; there are four i."""
    return "".join({"\u0130": "i", "\u0131": "i"}.get(char, char.lower()) for char in text)


def matches(query: Query, person: Person, sent: list[str]) -> bool | None:  # noqa: PLR0911
    """Return whether a person matches ``query``; ``sent`` are the issues sent, newest first.

    ``None`` in Kleene's three-valued logic: it depends on an issue that the person was not sent.
    """
    match query:
        case And(parts) | Or(parts):
            results = {matches(part, person, sent) for part in parts}
            decisive = isinstance(query, Or)  # what one part is enough for
            if decisive in results:
                return decisive
            return None if None in results else not decisive
        case Not(part):
            result = matches(part, person, sent)
            return None if result is None else not result
        case HasTag(tags):
            return bool(person.tags & set(tags))
        case HasStatus(status):
            return person.status == status
        case HasSource(prefix):
            return fold(person.source).startswith(fold(prefix))
        case HasField(segment_field):
            return get_value(segment_field, person) not in {None, ""}
        case HasEngagement(kind, sends):
            issues = sent[:sends] if isinstance(sends, int) else [sends]
            return is_engaged_with_any(kind, person, issues)
        case Comparison(segment_field, sign, value):
            return compare(segment_field, sign, value, person)


def is_engaged_with_any(kind: str, person: Person, issues: list[str]) -> bool | None:
    if any(is_engaged(kind, person, issue) for issue in issues):
        return True
    was_sent = any(person.copies.get(issue) == "accepted" for issue in issues)
    return False if kind == "sent" or was_sent else None


def is_engaged(kind: str, person: Person, issue: str) -> bool:
    if kind == "sent":
        return person.copies.get(issue) in {"accepted", "unknown"}
    types = {"delivered": {"delivered", "open", "click", "bot"}, "opened": {"open", "click"}}
    reported = any((issue, type_) in person.events for type_ in types.get(kind, {"click"}))
    return reported and issue in person.copies


def get_value(segment_field: SegmentField, person: Person) -> Any:
    if segment_field.is_attribute:
        return person.attributes.get(segment_field.name)
    return {
        "joined": person.joined,
        "confirmed": person.confirmed,
        "email": person.key,
        "domain": person.key.partition("@")[2],
        "name": person.name,
    }[segment_field.name]


def compare(segment_field: SegmentField, sign: str, operand: Any, person: Person) -> bool:
    value = get_value(segment_field, person)
    if value is None or value == "":
        return False
    if segment_field.type == "date":
        if segment_field.is_attribute:
            value = datetime.date.fromisoformat(value) if is_iso_date(value) else None
        else:
            value = value.astimezone(OSLO).date()
    elif segment_field.type == "text":
        value, operand = (
            (fold(value) if isinstance(value, str) else None),
            fold(operand),
        )
    elif isinstance(value, bool) != (segment_field.type == "boolean") or isinstance(value, str):
        value = None
    if value is None:
        return False
    if sign == "~":
        typed = fold(person.address)
        as_typed = {"email": typed, "domain": typed.partition("@")[2]}.get(segment_field.name, "")
        return operand in value or operand in as_typed
    order = (
        (value > operand) - (value < operand)
        if segment_field.type != "text"
        else int(value != operand)
    )
    signs = {"=": (0,), "!=": (-1, 1), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}
    return order in signs[sign]


def is_iso_date(value: object) -> bool:
    try:
        datetime.date.fromisoformat(str(value))
    except ValueError:
        return False
    return isinstance(value, str)


# The bounds of days in Oslo: midnight and the last microsecond before it; and noon.
MOMENTS = st.builds(
    lambda day, offset: (
        datetime.datetime.combine(day, datetime.time(), OSLO).astimezone(datetime.UTC)
        + datetime.timedelta(microseconds=offset)
    ),
    st.sampled_from(DAYS),
    st.sampled_from([-1, 0, 43_200_000_000]),
)
ANY_VALUE = st.one_of(
    st.sampled_from(TEXTS),
    st.integers(-3, 20),
    st.sampled_from([0.5, 18.0, -0.0, 1e15]),
    st.booleans(),
    st.none(),
    st.sampled_from([day.isoformat() for day in DAYS]),
)
PEOPLE = st.builds(
    Person,
    id=st.just(0),
    address=st.just(""),
    name=st.sampled_from(["", *TEXTS]),
    status=st.sampled_from(STATUSES),
    source=st.sampled_from(["", "import readers.csv:2", "Import x", "form", "100%"]),
    joined=MOMENTS,
    confirmed=st.none() | MOMENTS,
    attributes=st.dictionaries(st.sampled_from(sorted(TYPES)), ANY_VALUE),
    tags=st.frozensets(st.sampled_from(["vip", "VIP", "press"])),
    copies=st.dictionaries(st.sampled_from(ISSUES), st.sampled_from(RECIPIENT_STATES)),
    events=st.frozensets(
        st.tuples(
            st.sampled_from(ISSUES),
            st.sampled_from(["delivered", "open", "click", "bounce", "bot"]),
        ),
        max_size=3,
    ),
)
LISTS = st.lists(PEOPLE, min_size=3, max_size=len(ADDRESSES)).map(
    lambda people: [
        replace(person, id=number, address=ADDRESSES[number - 1])
        for number, person in enumerate(people, 1)
    ]
)
ATTRIBUTE_FIELDS = {name: SegmentField(name, type_) for name, type_ in TYPES.items()}
ORDER_OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUALITY_OPERATORS = st.sampled_from(["=", "!="])
TEXT_OPERATORS = st.sampled_from(["=", "!=", "~"])
ENGAGEMENT_KINDS = st.sampled_from(["sent", "delivered", "opened", "clicked"])
DATE_FIELDS = st.sampled_from(
    [BUILTIN_FIELDS["joined"], BUILTIN_FIELDS["confirmed"], ATTRIBUTE_FIELDS["birthday"]]
)
KINDS: dict[str, st.SearchStrategy[Query]] = {
    "tag": st.sampled_from([HasTag(("VIP", "vip")), HasTag(("press",))]),
    "status": st.builds(HasStatus, st.sampled_from(STATUSES)),
    "source": st.builds(HasSource, st.sampled_from(["import", "IMPORT r", "%", "100%", "_"])),
    "has": st.builds(
        HasField, st.sampled_from([*BUILTIN_FIELDS.values(), *ATTRIBUTE_FIELDS.values()])
    ),
    "last": st.builds(HasEngagement, ENGAGEMENT_KINDS, st.integers(1, 3)),
    "issue": st.builds(HasEngagement, ENGAGEMENT_KINDS, st.sampled_from(ISSUES)),
    "date": st.builds(Comparison, DATE_FIELDS, ORDER_OPERATORS, st.sampled_from(DAYS)),
    "number": st.builds(
        Comparison,
        st.just(ATTRIBUTE_FIELDS["age"]),
        ORDER_OPERATORS,
        st.integers(-3, 20) | st.sampled_from([0.5, 17.5]),
    ),
    "boolean": st.builds(
        Comparison, st.just(ATTRIBUTE_FIELDS["member"]), EQUALITY_OPERATORS, st.booleans()
    ),
    "text": st.builds(
        Comparison,
        st.sampled_from([BUILTIN_FIELDS["name"], ATTRIBUTE_FIELDS["city"]]),
        TEXT_OPERATORS,
        st.sampled_from(TEXTS),
    ),
    "substring": st.builds(
        Comparison,
        st.sampled_from([BUILTIN_FIELDS["email"], BUILTIN_FIELDS["domain"]]),
        st.just("~"),
        st.sampled_from(["a_a", "A", "m\u00fcnch", "xn--", "example.com", "@", "%", "oslo", "."]),
    ),
    "email": st.builds(
        Comparison,
        st.just(BUILTIN_FIELDS["email"]),
        EQUALITY_OPERATORS,
        st.sampled_from(["ada@example.com", "ada@xn--mnchen-3ya.de"]),
    ),
    "domain": st.builds(
        Comparison,
        st.just(BUILTIN_FIELDS["domain"]),
        EQUALITY_OPERATORS,
        st.sampled_from(["example.com", "xn--mnchen-3ya.de", "a.com"]),
    ),
}
QUERIES: st.SearchStrategy[Query] = st.recursive(
    st.one_of(*KINDS.values()),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = open_database("sqlite:///newsletter.db", tmp_path_factory.mktemp("list"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def on_postgresql(postgres_server: Any) -> Iterator[sa.Engine]:
    name = postgres_server.new_database()
    engine = open_database(postgres_server.url(name), Path())
    yield engine
    engine.dispose()
    postgres_server.drop(name)


def insert_list(connection: sa.Connection, people: list[Person], sent: int) -> list[str]:
    """Insert people and three sends, of which ``sent`` have started; return those, newest first."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        table: [] for table in (subscriber, subscriber_tag, send, batch, send_recipient, event)
    }
    for person in people:
        rows[subscriber].append({
            "id": person.id, "address": person.address, "address_key": person.key,
            "name": person.name, "status": person.status, "source": person.source,
            "attributes": person.attributes, "token": f"token-{person.id}",
            "joined_at": person.joined, "confirmed_at": person.confirmed, "updated_at": NOW,
        })  # fmt: skip
        rows[subscriber_tag] += [{"subscriber_id": person.id, "tag": tag} for tag in person.tags]
    number = itertools.count()
    for index, issue in enumerate(ISSUES):
        rows[send].append({
            "id": index + 1, "issue": issue, "state": "running", "content_sha": "", "subject": "",
            "frozen_at": NOW - datetime.timedelta(days=index), "total": 0, "excluded": {},
            "recalled_at": None, "scheduled_at": None,
        })  # fmt: skip
        state = "accepted" if index < sent else "ready"
        rows[batch].append(
            {"id": index + 1, "send_id": index + 1, "number": 1, "size": 0, "state": state}
        )
        for person in people:
            if issue in person.copies:
                rows[send_recipient].append({
                    "send_id": index + 1, "subscriber_id": person.id, "address_key": person.key,
                    "batch_id": index + 1, "state": person.copies[issue], "root_id": index + 1,
                    "error": "a reason",
                })  # fmt: skip
            types = sorted(type_ for event_issue, type_ in person.events if event_issue == issue)
            rows[event] += [
                {
                    "sg_event_id": str(next(number)),
                    "type": type_.replace("bot", "open"),
                    "at": NOW,
                    "raw": {},
                    "address_key": person.key,
                    "send_id": index + 1,
                    "is_bot": type_ == "bot",
                }
                for type_ in types
            ]
    # The newest send was cancelled at SendGrid in time: last-N must not count it.
    rows[send].append({
        "id": 9, "issue": "cancelled", "state": "cancelled", "content_sha": "", "subject": "",
        "frozen_at": NOW + datetime.timedelta(days=1), "total": 0, "excluded": {},
        "recalled_at": NOW, "scheduled_at": NOW + datetime.timedelta(minutes=10),
    })  # fmt: skip
    rows[batch].append({"id": 9, "send_id": 9, "number": 1, "size": 0, "state": "accepted"})
    for table, inserted in rows.items():
        if inserted:
            connection.execute(sa.insert(table), inserted)
    return list(ISSUES[:sent])


def assert_same_result(engine: sa.Engine, people: list[Person], sent: int, query: Query) -> None:
    """Assert that SQL and ``matches`` select the same people by a query, and by its negation."""
    with engine.connect() as connection, connection.begin() as transaction:
        started = insert_list(connection, people, sent)
        sends = [KnownSend(known.id, known.issue) for known in load_known_sends(connection)]
        assert [known.issue for known in sends] == started
        names = KnownNames(["VIP", "vip", "press"], TYPES, sends)
        if names_unsent_issue(query, started):
            with pytest.raises(SubscriberListError):
                parse_query(str(query), names, TODAY)
            transaction.rollback()
            return
        parsed = parse_query(str(query), names, TODAY)
        assert parsed == query
        found, others, neither = (
            connection.scalars(
                sa.select(subscriber.c.id).where(condition).order_by(subscriber.c.id)
            ).all()
            for condition in (
                build_condition(parsed, OSLO),
                build_condition(Not(parsed), OSLO),
                # A condition is never NULL: the exclusions of a send are those outside of it.
                sa.not_(build_condition(parsed, OSLO)),
            )
        )
        transaction.rollback()
    results = {person.id: matches(query, person, started) for person in people}
    assert found == [id_ for id_, result in results.items() if result]
    assert others == [id_ for id_, result in results.items() if result is False]
    assert neither == [id_ for id_ in results if id_ not in found]


def names_unsent_issue(query: Query, started: list[str]) -> bool:
    """Return whether a query names an issue that was not sent, or the last ones without any."""
    return any(
        term.sends not in started
        if isinstance(term.sends, str)
        else not started and term.kind != "sent"
        for term in iter_terms(query)
        if isinstance(term, HasEngagement)
    )


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), people=LISTS, sent=st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_single_terms_on_sqlite(
    on_sqlite: sa.Engine, kind: str, data: st.DataObject, people: list[Person], sent: int
) -> None:
    assert_same_result(on_sqlite, people, sent, data.draw(KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), people=LISTS, sent=st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_single_terms_on_postgresql(
    on_postgresql: sa.Engine, kind: str, data: st.DataObject, people: list[Person], sent: int
) -> None:
    assert_same_result(on_postgresql, people, sent, data.draw(KINDS[kind]))


@example(people=[], sent=3, query=Not(HasEngagement("opened", 1)))
@given(people=LISTS, sent=st.integers(0, 3), query=QUERIES)
@settings(max_examples=150, deadline=None)
def test_nested_queries_on_sqlite(
    on_sqlite: sa.Engine, people: list[Person], sent: int, query: Query
) -> None:
    assert_same_result(on_sqlite, people, sent, query)


@given(people=LISTS, sent=st.integers(0, 3), query=QUERIES)
@settings(max_examples=30, deadline=None)
def test_nested_queries_on_postgresql(
    on_postgresql: sa.Engine, people: list[Person], sent: int, query: Query
) -> None:
    assert_same_result(on_postgresql, people, sent, query)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name = ADA", [1]),
        ("name ~ da", [1]),
        ("name != ada", [2]),
        ("name = \u00d8ystein", [2]),
        ("name = \u00f8YSTEIN", [2]),
        ("name ~ \u00f8y", [2]),
        ("not name = ada", [2, 3]),
        ("has:name", [1, 2]),
        ("email ~ M\u00fcnchen", [1]),
        ("email ~ XN--", [1]),
        ("email = ADA@m\u00fcnchen.de", [1]),
        ("domain ~ m\u00fcnch", [1]),
        ("domain = example.com", [2]),
        ("domain ~ example.com", [2, 3]),
        ("domain ~ cy", []),
        ("source:IMPORT", [1]),
        ("city = oslo", [1]),
        ("city != Oslo", [2]),
        ("not city = Oslo", [2, 3]),
        ("not confirmed > 2000-01-01", [2, 3]),
    ],
)
def test_letter_case_and_missing_values(engine: sa.Engine, text: str, found: list[int]) -> None:
    people = [
        Person(1, "ada@m\u00fcnchen.de", "Ada", "active", "import x.csv:2", NOW, NOW,
               {"city": "OSLO"}, frozenset()),
        Person(2, "bo@example.com", "\u00d8ystein", "active", "an import", NOW, None,
               {"city": "Bergen"}, frozenset()),
        Person(3, "cy@sub.example.com", "", "active", "form", NOW, None, {}, frozenset()),
    ]  # fmt: skip
    with engine.begin() as connection:
        insert_list(connection, people, 0)
        condition = build_condition(parse_query(text, KnownNames(attributes=TYPES), TODAY), OSLO)
        ids = connection.scalars(sa.select(subscriber.c.id).where(condition)).all()
    assert sorted(ids) == found


@pytest.mark.parametrize(
    ("sign", "found"),
    [
        ("=", [2, 3, 4]),
        ("!=", [1, 5]),
        ("<", [1]),
        ("<=", [1, 2, 3, 4]),
        (">", [5]),
        (">=", [2, 3, 4, 5]),
    ],
)
@pytest.mark.parametrize("field", ["joined", "confirmed"])
def test_day_is_compared_as_a_whole_in_the_newsletters_time_zone(
    engine: sa.Engine, field: str, sign: str, found: list[int]
) -> None:
    # 29 March 2026 has 23 hours in Oslo.
    moments = [
        datetime.datetime(2026, 3, 28, 22, 59, 59, 999_999, datetime.UTC),
        datetime.datetime(2026, 3, 28, 23, 0, 0, 0, datetime.UTC),
        datetime.datetime(2026, 3, 29, 12, 0, 0, 0, datetime.UTC),
        datetime.datetime(2026, 3, 29, 21, 59, 59, 999_999, datetime.UTC),
        datetime.datetime(2026, 3, 29, 22, 0, 0, 0, datetime.UTC),
    ]
    people = [
        Person(number, ADDRESSES[number], "", "active", "", time, time, {}, frozenset())
        for number, time in enumerate(moments, 1)
    ]
    people.append(replace(people[0], id=6, address="z@z.com", joined=NOW, confirmed=None))
    with engine.begin() as connection:
        insert_list(connection, people, 0)
        condition = build_condition(
            parse_query(f"{field} {sign} 2026-03-29", KnownNames(), TODAY), OSLO
        )
        ids = connection.scalars(sa.select(subscriber.c.id).where(condition)).all()
    assert [id_ for id_ in sorted(ids) if id_ < 6] == found


@pytest.mark.parametrize(
    "text",
    [
        "x' OR 1=1 --",
        "x'; DROP TABLE subscriber; --",
        'x" OR "1"="1',
        "%' ESCAPE '/' OR 1 --",
        ":status",
        "%(status)s",
        "$.city",
        "\\",
    ],
)
def test_sql_in_a_query_is_treated_as_text(engine: sa.Engine, text: str) -> None:
    people = [
        Person(1, "ada@example.com", text, "active", text, NOW, None, {"city": text}, frozenset()),
        Person(2, "bo@example.com", "Bo", "active", "x", NOW, None, {"city": "Oslo"}, frozenset()),
    ]
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    known = KnownNames(attributes=TYPES)
    with engine.begin() as connection:
        insert_list(connection, people, 0)
        for query in (f"name = {quoted}", f"city ~ {quoted}", f"source:{quoted}"):
            condition = build_condition(parse_query(query, known, TODAY), OSLO)
            assert connection.scalars(sa.select(subscriber.c.id).where(condition)).all() == [1]


def test_longest_and_deepest_queries_run(engine: sa.Engine) -> None:
    known = KnownNames(["a"], TYPES)
    deep = "(tag:a or not " * 9 + "city = x" + ")" * 9
    long = " or ".join(["age=1"] * 220)
    with engine.begin() as connection:
        for text in (deep, long, f"not ({long})"):
            condition = build_condition(parse_query(text, known, TODAY), OSLO)
            assert connection.scalars(sa.select(subscriber.c.id).where(condition)).all() == []
