"""Clicks by people and by bots: sweeps are detected, and clicks counted by link."""

import datetime

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from made_up_send import AT, HTML, LINKS, SampleSend, address, make_send

from newsletter.db.schema import event
from newsletter.reports.engagement import Click, count_clicks, count_opens, detect_sweeps
from newsletter.reports.links import extract_issue_links

PERSONAL_URLS = ("https://own.example/u/", "https://own.example/p/")


def at(seconds: float) -> datetime.datetime:
    return AT + datetime.timedelta(seconds=seconds)


CLICK_LISTS = st.lists(st.builds(Click, st.integers(0, 12).map(at), st.sampled_from("abc")))


@given(CLICK_LISTS, st.none() | st.integers(-3, 5).map(at))
def test_sweep_is_faster_than_a_person(
    clicks: list[Click], delivered_at: datetime.datetime | None
) -> None:
    second = datetime.timedelta(seconds=1)
    assert detect_sweeps(clicks, delivered_at) == [
        (delivered_at is not None and click.at < delivered_at + 2 * second)
        or any(abs(click.at - other.at) <= second and click.url != other.url for other in clicks)
        for click in clicks
    ]


@given(CLICK_LISTS.flatmap(lambda clicks: st.tuples(st.just(clicks), st.permutations(clicks))))
def test_sweeps_do_not_depend_on_the_order_of_clicks(
    orders: tuple[list[Click], list[Click]],
) -> None:
    first, second = ({*zip(order, detect_sweeps(order), strict=True)} for order in orders)
    assert first == second


@given(CLICK_LISTS, st.builds(Click, st.integers(0, 12).map(at), st.sampled_from("abc")))
def test_another_click_never_clears_a_sweep(clicks: list[Click], added: Click) -> None:
    before, after = detect_sweeps(clicks), detect_sweeps([*clicks, added])[:-1]
    assert all(now or not was for was, now in zip(before, after, strict=True))


@given(st.lists(st.integers(0, 12).map(at)))
def test_repeated_clicks_on_one_link_are_not_a_sweep(times: list[datetime.datetime]) -> None:
    assert not any(detect_sweeps([Click(time, "a") for time in times]))


def test_clicks_are_counted_by_link_the_most_clicked_first(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=5))
    (first, _), (second, _), *_ = LINKS
    events = [
        (1, 0, "delivered", "", False),
        (1, 1, "click", first, False),  # a second after it arrived
        (1, 100, "click", f"{second}?utm_source=x", False),
        (1, 9_000, "click", second, False),
        (1, 9_000, "click", second, False),  # the same, reported again under another id
        (2, 50, "click", first, False),  # all at once
        (2, 50, "click", second, False),
        (2, 50, "click", f"{PERSONAL_URLS[0]}token", False),
        (3, 50, "click", second, True),  # a bot that identifies itself
        (3, 90, "click", f"{PERSONAL_URLS[1]}token", False),
        (4, 3_700, "click", "https://elsewhere.example/", False),
        (5, 80, "click", first, False),
        (9, 80, "click", first, False),  # not a recipient
    ]
    links = extract_issue_links(HTML, [])
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        connection.execute(
            sa.insert(event),
            [{"sg_event_id": str(number), "type": kind, "at": at(seconds), "send_id": 1,
              "address_key": address(reader), "is_bot": is_bot, "raw": {"url": url}}
             for number, (reader, seconds, kind, url, is_bot) in enumerate(events)],
        )  # fmt: skip
        counts, link_clicks = count_clicks(connection, 1, AT, links, PERSONAL_URLS)
    assert counts
    assert (counts.readers, counts.total) == (3, 4)
    assert (counts.machine_readers, counts.machine_total) == (3, 4)
    assert (counts.curve.hours[0], counts.curve.hours[1], counts.curve.later) == (2, 1, 0)
    # The most clicked first, then in the order of the issue; others are last.
    in_order = [second, first, *(url for url, _ in LINKS[2:]), ""]
    assert [link.url for link in link_clicks] == in_order
    assert [(link.readers, link.total) for link in link_clicks] == [
        (1, 2), (1, 1), (0, 0), (0, 0), (0, 0), (1, 1),
    ]  # fmt: skip


def test_open_that_is_reported_again_counts_once(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=5))
    opens = [(1, 10, False), (1, 10, False), (1, 11, False), (2, 10, True), (2, 10, True)]
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        connection.execute(
            sa.insert(event),
            [{"sg_event_id": str(number), "type": "open", "at": at(seconds), "send_id": 1,
              "address_key": address(reader), "is_bot": is_bot, "raw": {}}
             for number, (reader, seconds, is_bot) in enumerate(opens)],
        )  # fmt: skip
        counts = count_opens(connection, 1, AT)
    assert counts
    assert (counts.readers, counts.total) == (1, 2)
    assert (counts.machine_readers, counts.machine_total) == (1, 1)


def test_clicks_are_none_if_there_are_no_events(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=5, tracked=False))
    with engine.begin() as connection:
        assert count_clicks(connection, 1, AT, extract_issue_links(HTML, []), PERSONAL_URLS) == (
            None,
            (),
        )
