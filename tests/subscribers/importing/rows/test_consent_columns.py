import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import Location
from newsletter.subscribers.importing.rows.column_mapping import map_columns
from newsletter.subscribers.importing.rows.consent_columns import find_consent_role

ROLES = {
    "consent": [
        "consent", "opt_in", "optin", "OptIn", "opt-in status", "email_consent", "is_opted_in",
        "marketing_consent", "gdpr", "GDPR consent given", "Accepts Email Marketing", "emailOptIn",
        "wants_newsletter", "email_permission", "Einwilligung", "consentement", "samtykke",
        "can_email", "May we email you?",
    ],
    "confirmation": [
        "double_opt_in", "DOUBLE_OPT-IN", "doubleOptIn", "confirmed", "email_confirmed",
        "confirmed_opt_in", "email_verified", "best\xe4tigt",
    ],
    "opt_out": [
        "do_not_email", "DoNotEmail", "donotemail", "Don't mail", "opted_out", "email_opt_out",
        "HasOptedOutOfEmail", "unsubscribed", "isUnsubscribed", "suppressed", "no_mail",
        "Unsubscribed from all email", "blacklisted", "email_blocklisted", "abgemeldet",
        "D\xe9sabonn\xe9", "baja", "un-subscribed",
    ],
    "suppressed:unsubscribed": ["opt_out_date", "Unsubscribed since", "do_not_email_at"],
    "left_reason": ["UNSUB_REASON", "opt-out reason"],
    "joined_at": ["opt_in_date", "consent_time"],
    "confirmed_at": ["double_opt_in_date"],
    "unclear:consent": [
        "newsletter", "gdpr_notice_7", "consent book fair", "marketing",
        "active", "is_active", "Mail OK", "email_allowed", "Kontakt erlaubt", "subscription",
        "email_subscription_status", "p\xe5meldt",
    ],
    "unclear:opt_out": [
        "unsubscribed from offers", "inactive", "deleted_at", "left", "STOP", "hard_bounce",
        "spam complaint", "Werbesperre",
    ],
    "unclear:other": [
        "sms_consent", "Accepts SMS Marketing", "consent_text", "unsubscribe_url", "opt_in_ip",
        "order confirmed", "privacy policy", "permission", "DOI",
    ],
    "": ["city", "option", "adoption", "note", "plan", "", "country", "optician", "avg",
         "avg_order", "contact no", "active_subscription", "subscription_tier", "last_active",
         "left_handed", "bounces", "contact"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "role"), [(column, role) for role, columns in ROLES.items() for column in columns]
)
def test_role_of_a_column(column: str, role: str) -> None:
    assert find_consent_role(column) == role


@given(st.text(max_size=20))
def test_any_name_has_a_role(name: str) -> None:
    assert find_consent_role(name) in ROLES


def test_unclear_columns_are_attributes_and_reasons_too() -> None:
    columns = map_columns(
        ["email", "consent_text", "UNSUB_REASON", "opt_out"], {}, Location("readers.csv", 1)
    )
    assert columns.unclear == {1: "unclear:other"}
    assert columns.attributes == {1: "consent_text", 2: "unsub_reason"}
    assert columns.status_columns == (2, 3)


def test_explicit_mapping_decides_what_an_unclear_column_is() -> None:
    header, where = ["email", "newsletter"], Location("readers.csv", 1)
    assert map_columns(header, {}, where).unclear == {1: "unclear:consent"}
    assert map_columns(header, {"newsletter": "consent"}, where).consent == (1,)
    assert map_columns(header, {"newsletter": "confirmation"}, where).confirmation == (1,)
    assert map_columns(header, {"newsletter": "opt_out"}, where).opt_out == (1,)
    topic = map_columns(header, {"newsletter": "topic"}, where)
    assert (topic.unclear, topic.attributes) == ({}, {1: "topic"})


def test_known_columns_of_mailchimp_are_not_unclear() -> None:
    columns = map_columns(["email", "OPTIN_IP", "CONFIRM_IP"], {}, Location("readers.csv", 1))
    assert columns.unclear == {}
