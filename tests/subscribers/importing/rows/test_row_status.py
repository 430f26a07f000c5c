import pytest

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.importing.rows.column_mapping import map_columns
from newsletter.subscribers.importing.rows.row_status import parse_row_status


def status(file_status: str = "active", **cells: str) -> str:
    header = ["email", *(name.replace("_", " ") for name in cells)]
    columns = map_columns(header, {}, Location("readers.csv", 1))
    return parse_row_status(["ada@example.com", *cells.values()], columns, file_status)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("consent", "yes", "active"), ("consent", " JA ", "active"), ("consent", "s\xed", "active"),
        ("consent", "\u2713", "active"), ("consent", "granted", "active"),
        ("consent", "2024-05-01", "active"), ("consent", "01.05.2024", "active"),
        ("consent", "SUBSCRIBED", "active"), ("consent", "no", "unsubscribed"),
        ("consent", "Nein", "unsubscribed"), ("consent", "0", "unsubscribed"),
        ("consent", "refused", "unsubscribed"), ("consent", "withdrawn", "unsubscribed"),
        ("consent", "NEVER_SUBSCRIBED", "unsubscribed"), ("consent", "pending", "pending"),
        ("consent", "no\u200b", "unsubscribed"),
        ("double_opt_in", "yes", "active"), ("double_opt_in", "no", "pending"),
        ("double_opt_in", "", "pending"), ("confirmed", "NULL", "pending"),
        ("confirmed", "2024-05-01 10:00:00", "active"), ("confirmed", "unconfirmed", "pending"),
        ("do_not_email", "yes", "unsubscribed"), ("do_not_email", "x", "unsubscribed"),
        ("do_not_email", "1", "unsubscribed"), ("do_not_email", "oui", "unsubscribed"),
        ("do_not_email", "no", "active"), ("do_not_email", "", "active"),
        ("opted_out", "2023-01-02", "unsubscribed"), ("opted_out", "never", "active"),
        ("opted_out", "opted out", "unsubscribed"), ("suppressed", "bounced", "bounced"),
        ("unsubscribed", "nei", "active"), ("unsubscribed", "subscribed", "active"),
        ("opt_out_date", "0000-00-00 00:00:00", "active"), ("opt_out_date", "NULL", "active"),
        ("opt_out_date", "2023-01-02", "unsubscribed"),
        ("unsub_reason", "NORMAL", "unsubscribed"), ("unsub_reason", "", "active"),
        ("deleted_at", "", "active"), ("hard_bounce", "no", "active"), ("is_active", "1", "active"),
        ("newsletter", "yes", "active"), ("newsletter", "Harbour Notes", "active"),
        ("sms_consent", "no", "active"), ("unsubscribe_url", "https://x.example/u", "active"),
    ],
)  # fmt: skip
def test_status_by_a_cell(column: str, cell: str, expected: str) -> None:
    assert status(**{column: cell}) == expected


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("consent", "maybe", "'maybe' is neither yes nor no, in the column consent"),
        ("consent", "x", "'x' is neither yes nor no"),
        ("consent", "", "no consent is stated: the column consent is empty"),
        ("consent", "n/a", "no consent is stated"),
        ("double_opt_in", "2", "'2' is neither yes nor no"),
        ("do_not_email", "sometimes", "'sometimes' is neither yes nor no"),
        ("do_not_email", "refused", "'refused' is neither yes nor no"),
        ("do_not_email", "active", "'active' is neither yes nor no"),
        ("newsletter", "no", "--map 'newsletter=consent'"),
        ("newsletter", "unsubscribed", "--map 'newsletter=consent'"),
        ("newsletter", "bounced", "--map 'newsletter=consent'"),
        ("newsletter_status", "pending", "--map 'newsletter status=consent'"),
        ("email_subscription_status", "complained", "subscription status=consent'"),
        ("is_active", "false", "--map 'is active=consent'"),
        ("deleted_at", "2024-05-01", "--map 'deleted at=opt_out'"),
        ("un_subscribed_from_offers", "yes", "--map 'un subscribed from offers=opt_out'"),
        ("unsubscribed_from_offers", "yes", "--map 'unsubscribed from offers=opt_out'"),
    ],
)
def test_row_without_a_clear_consent_is_rejected(column: str, cell: str, reason: str) -> None:
    with pytest.raises(SubscriberListError) as caught:
        status(**{column: cell})
    assert reason in caught.value.problems[0].message


def test_reader_who_left_is_imported_even_if_another_cell_is_not_understood() -> None:
    assert status(consent="maybe", unsubscribed="yes") == "unsubscribed"
    assert status("unsubscribed", consent="") == "unsubscribed"
    assert status("bounced", status="asleep") == "bounced"


def test_most_cautious_column_counts() -> None:
    assert status(consent="yes", double_opt_in="no") == "pending"
    assert status(consent="yes", do_not_email="yes") == "unsubscribed"
    assert status(status="complained", consent="yes") == "complained"
