"""People's clicks told from programs'."""

import datetime

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from made_up_send import AT, HTML, LINKS, MadeUp, address, make_send

from newsletter.db.schema import event
from newsletter.reports.engagement import Click, count_clicks, detect_sweeps
from newsletter.reports.links import extract_issue_links

OWN = ("https://own.example/u/", "https://own.example/p/")


def at(seconds: float) -> datetime.datetime:
    return AT + datetime.timedelta(seconds=seconds)


some_clicks = st.lists(st.builds(Click, st.integers(0, 12).map(at), st.sampled_from("abc")))


@given(some_clicks, st.none() | st.integers(-3, 5).map(at))
def test_a_sweep_is_what_nobody_is_quick_enough_for(
    found: list[Click], arrived: datetime.datetime | None
) -> None:
    second = datetime.timedelta(seconds=1)
    assert detect_sweeps(found, arrived) == [
        (arrived is not None and one.at < arrived + 2 * second)
        or any(abs(one.at - other.at) <= second and one.url != other.url for other in found)
        for one in found
    ]


@given(some_clicks.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_in_which_clicks_are_told_is_nothing(
    orders: tuple[list[Click], list[Click]],
) -> None:
    first, second = ({*zip(order, detect_sweeps(order), strict=True)} for order in orders)
    assert first == second


@given(some_clicks, st.builds(Click, st.integers(0, 12).map(at), st.sampled_from("abc")))
def test_another_click_makes_no_program_a_person(found: list[Click], more: Click) -> None:
    before, after = detect_sweeps(found), detect_sweeps([*found, more])[:-1]
    assert all(now or not was for was, now in zip(before, after, strict=True))


@given(st.lists(st.integers(0, 12).map(at)))
def test_one_link_again_and_again_is_a_person(times: list[datetime.datetime]) -> None:
    assert not any(detect_sweeps([Click(time, "a") for time in times]))


def test_clicks_are_counted_by_link_in_the_issue_s_order(engine: sa.Engine) -> None:
    make_send(engine, MadeUp(readers=5))
    (first, _), (second, _), *_ = LINKS
    facts = [
        (1, 0, "delivered", "", False),
        (1, 1, "click", first, False),  # a second after it arrived
        (1, 100, "click", f"{second}?utm_source=x", False),
        (1, 9_000, "click", second, False),
        (2, 50, "click", first, False),  # all at once
        (2, 50, "click", second, False),
        (2, 50, "click", f"{OWN[0]}token", False),
        (3, 50, "click", second, True),  # it said so itself
        (3, 90, "click", f"{OWN[1]}token", False),
        (4, 3_700, "click", "https://elsewhere.example/", False),
        (5, 80, "click", first, False),
        (9, 80, "click", first, False),  # no reader of ours
    ]
    links = extract_issue_links(HTML, [])
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        connection.execute(
            sa.insert(event),
            [{"sg_event_id": str(number), "type": kind, "at": at(seconds), "send_id": 1,
              "address_key": address(reader), "is_bot": machine, "raw": {"url": url}}
             for number, (reader, seconds, kind, url, machine) in enumerate(facts)],
        )  # fmt: skip
        tally, found = count_clicks(connection, 1, AT, links, OWN)
    assert tally
    assert (tally.readers, tally.total) == (3, 4)
    assert (tally.machine_readers, tally.machine_total) == (3, 4)
    assert (tally.curve.hours[0], tally.curve.hours[1], tally.curve.later) == (2, 1, 0)
    assert [link.url for link in found] == [*(url for url, _ in LINKS), ""]
    assert [(link.readers, link.total) for link in found] == [
        (1, 1), (1, 2), (0, 0), (0, 0), (0, 0), (1, 1),
    ]  # fmt: skip


def test_no_clicks_are_not_zero_clicks(engine: sa.Engine) -> None:
    make_send(engine, MadeUp(readers=5, tracked=False))
    with engine.begin() as connection:
        assert count_clicks(connection, 1, AT, extract_issue_links(HTML, []), OWN) == (None, ())
