from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.rows.file_status import status_from_filename


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("readers.csv", "active"),
        ("subscribed_email_audience_export_7c1d.csv", "active"),
        ("unsubscribed_email_audience_export_7c1d.csv", "unsubscribed"),
        ("export/Unsubscribes 2026/list.csv", "unsubscribed"),
        ("UnsubscribedContacts.csv", "unsubscribed"),
        ("non_subscribed_members.csv", "unsubscribed"),
        ("nonsubscribed.csv", "unsubscribed"),
        ("opt-outs.csv", "unsubscribed"),
        ("optout.csv", "unsubscribed"),
        ("Do not mail.csv", "unsubscribed"),
        ("abgemeldet.csv", "unsubscribed"),
        ("Abmeldungen 2026.csv", "unsubscribed"),
        ("d\xe9sabonn\xe9s.csv", "unsubscribed"),
        ("de\u0301sinscrits.csv", "unsubscribed"),
        ("bajas.csv", "unsubscribed"),
        ("disiscritti.csv", "unsubscribed"),
        ("avmeldte.csv", "unsubscribed"),
        ("uitgeschreven.csv", "unsubscribed"),
        ("suppression_bounces.csv", "bounced"),
        ("suppression_spam_reports.csv", "complained"),
        ("suppression_blocks.csv", "unsubscribed"),
        ("dados de baja.csv", "unsubscribed"),
        ("hardbounce.csv", "bounced"),
        ("blacklist.csv", "unsubscribed"),
        ("hard bounces.csv", "bounced"),
        ("cleaned_members_export_7c1d.csv", "bounced"),
        ("cleaned.csv", "active"),
        ("optional.csv", "active"),
        ("bouncers.csv", "active"),
        ("options-2026.csv", "active"),
        ("plaintext.csv", "active"),
        ("reclame.csv", "active"),
        ("Baja California.csv", "active"),
        ("building blocks.csv", "active"),
        ("bounce house.csv", "active"),
    ],
)
def test_status_from_filename(name: str, status: str) -> None:
    assert status_from_filename(name) == status


def test_cleaned_means_bounced_in_an_export_of_a_service() -> None:
    assert status_from_filename("cleaned.csv", from_service=True) == "bounced"


@pytest.mark.parametrize(
    "name", ["readers-without-unsubscribed.csv", "no bounces.csv", "ohne_Abgemeldete.csv"]
)
def test_name_with_two_meanings_is_rejected(name: str) -> None:
    with pytest.raises(SubscriberListError, match="the file's name can mean"):
        status_from_filename(name)


@given(st.text(max_size=40))
def test_any_name_has_a_status_or_is_rejected(name: str) -> None:
    with suppress(SubscriberListError):
        assert status_from_filename(name) in {"active", "bounced", "unsubscribed", "complained"}
