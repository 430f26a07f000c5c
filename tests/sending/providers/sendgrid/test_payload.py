"""Request bodies: their content, their order, and their limits."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sending_fixtures import CITY, NAME, MakeReaders, configured

from newsletter.config.tracking import TrackedAction
from newsletter.errors import SendRefusedError
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN, MergeTag, TokenTarget
from newsletter.render.email import Email, NamedAddress
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.providers.prepared_email import split_into_batches
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.payload import (
    MAX_SUBSTITUTION_BYTES,
    SendGridEmail,
    build_request,
    prepare_email,
)
from newsletter.sending.rehearsal.fake_sendgrid.validation import validate_request
from newsletter.subscribers import Recipient

REQUEST_ID = RequestId("7", "42", "3")


def only_personalization(prepared: SendGridEmail, reader: Recipient) -> dict[str, Any]:
    """Return the only personalization of a request for one recipient."""
    body = json.loads(build_request(prepared, [reader], REQUEST_ID).body)
    (entry,) = body["personalizations"]
    personalization: dict[str, Any] = entry
    return personalization


def with_name(reader: Recipient, name: str) -> Recipient:
    return reader._replace(attributes={**reader.attributes, "name": name})


def test_recipients_keep_their_order(prepared: SendGridEmail, make_readers: MakeReaders) -> None:
    readers = make_readers(30)
    body = json.loads(build_request(prepared, readers, REQUEST_ID).body)
    to = [entry["to"][0]["email"] for entry in body["personalizations"]]
    assert to == [reader.address for reader in readers]


def test_shared_fields_are_at_the_top_level(email: Email, make_readers: MakeReaders) -> None:
    config = configured(tracking={"opens": True}, sendgrid={"categories": ["issue", "weekly"]})
    body = json.loads(build_request(prepare_email(email, config), make_readers(1), REQUEST_ID).body)
    assert body["from"] == {"email": "editor@harbour-notes.org", "name": "Harbour Notes"}
    assert body["reply_to"] == {"email": "hello@harbour-notes.org"}
    assert [part["type"] for part in body["content"]] == ["text/plain", "text/html"]
    assert body["headers"] == dict(email.headers)
    assert body["categories"] == ["issue", "weekly"]
    assert body["tracking_settings"] == {
        "click_tracking": {"enable": False, "enable_text": False},
        "open_tracking": {"enable": True},
        "subscription_tracking": {"enable": False},
        "ganalytics": {"enable": False},
    }
    assert "asm" not in body
    assert "mail_settings" not in body


@pytest.mark.parametrize("personalize", ["substitutions", "per_request"])
@pytest.mark.parametrize(
    ("tracking", "tracked", "switches"),
    [
        ("ask", None, (False, False)),
        ("all", None, (True, True)),
        ({"opens": "ask", "clicks": "all"}, None, (False, True)),
        ("ask", {"opens"}, (True, False)),
        ("ask", {"clicks"}, (False, True)),
        ("ask", {"opens", "clicks"}, (True, True)),
        ("all", set(), (False, False)),
    ],
)
def test_tracking_that_readers_are_asked_for_is_off_unless_it_is_requested(
    email: Email,
    make_readers: MakeReaders,
    personalize: str,
    tracking: object,
    tracked: set[TrackedAction] | None,
    switches: tuple[bool, bool],
) -> None:
    config = configured(tracking=tracking, sendgrid={"personalize": personalize})
    prepared = prepare_email(email, config)
    untracked = json.loads(build_request(prepared, make_readers(1), REQUEST_ID).body)
    if tracked is not None:
        prepared = prepared.with_tracking(frozenset(tracked))
    body = json.loads(build_request(prepared, make_readers(1), REQUEST_ID).body)
    settings, other = body.pop("tracking_settings"), untracked.pop("tracking_settings")
    assert body == untracked
    enabled = (settings["open_tracking"]["enable"], settings["click_tracking"]["enable"])
    assert enabled == switches
    assert settings.keys() == other.keys()


def test_sandbox_and_unsubscribe_group_are_set_only_if_configured(
    email: Email, make_readers: MakeReaders
) -> None:
    config = configured(sendgrid={"sandbox": True, "asm_group": 5})
    body = json.loads(build_request(prepare_email(email, config), make_readers(1), REQUEST_ID).body)
    assert body["mail_settings"] == {"sandbox_mode": {"enable": True}}
    assert body["asm"] == {"group_id": 5}
    assert "List-Unsubscribe" in body["personalizations"][0]["headers"]
    config = configured(sendgrid={"asm_group": 5}, public_url=None)
    body = json.loads(build_request(prepare_email(email, config), make_readers(1), REQUEST_ID).body)
    assert "headers" not in body["personalizations"][0]


def test_every_personalization_has_one_click_unsubscribe_headers(
    prepared: SendGridEmail, make_readers: MakeReaders
) -> None:
    (reader,) = make_readers(1)
    assert only_personalization(prepared, reader)["headers"] == {
        "List-Unsubscribe": "<https://news.harbour-notes.org/u/token-1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_custom_args_hold_ids_only(prepared: SendGridEmail, make_readers: MakeReaders) -> None:
    (reader,) = make_readers(1)
    assert only_personalization(prepared, reader)["custom_args"] == {
        "nl_send": "7",
        "nl_batch": "42",
        "nl_attempt": "3",
        "nl_subscriber": "1",
    }


def test_substitutions_hold_used_tokens_escaped_for_their_context(prepared: SendGridEmail) -> None:
    attributes = {"email": "a@example.com", "name": '<Ö & "x">', "city": "St. John's / NL"}
    reader = Recipient(1, "a@example.com", "a@example.com", "tok", attributes)
    assert only_personalization(prepared, reader)["substitutions"] == {
        "-nl0h-": "&lt;Ö &amp; &quot;x&quot;&gt;",
        "-nl0t-": '<Ö & "x">',
        "-nl1h-": "St. John&#x27;s / NL",
        "-nl1u-": "St.%20John%27s%20%2F%20NL",
        "-nlunsubscribeh-": "https://news.harbour-notes.org/u/tok",
        "-nlunsubscribet-": "https://news.harbour-notes.org/u/tok",
        "-nlpreferencesh-": "https://news.harbour-notes.org/p/tok",
    }


def test_email_without_tokens_has_no_substitutions(email: Email, make_readers: MakeReaders) -> None:
    plain = replace(email, subject="Ice", html="<p>Ice 100 %</p>", text="Ice")
    prepared = prepare_email(plain, configured())
    assert "substitutions" not in only_personalization(prepared, make_readers(1)[0])


@pytest.mark.parametrize("name", ["", "Smith, Ada", "Ada; Bo", "Ada\nBcc: x", "x" * 300])
def test_name_that_the_api_rejects_is_omitted(prepared: SendGridEmail, name: str) -> None:
    attributes = {"email": "a@example.com", "name": name}
    reader = Recipient(1, "a@example.com", "a@example.com", "tok", attributes)
    assert only_personalization(prepared, reader)["to"] == [{"email": "a@example.com"}]


@pytest.mark.parametrize(("length", "is_shown"), [(255, True), (256, False)])
def test_name_is_shown_up_to_the_length_that_the_api_takes(
    prepared: SendGridEmail, make_readers: MakeReaders, length: int, *, is_shown: bool
) -> None:
    reader = with_name(make_readers(1)[0], "ö" * length)
    (to,) = only_personalization(prepared, reader)["to"]
    assert to.get("name", "") == ("ö" * length if is_shown else "")


def test_recipient_with_too_large_substitutions_is_rejected(
    prepared: SendGridEmail, make_readers: MakeReaders
) -> None:
    readers = make_readers(3)
    readers[1] = with_name(readers[1], "ö" * 2_600)
    request = build_request(prepared, readers, REQUEST_ID)
    assert request.recipient_ids == (1, 3)
    assert request.rejected_recipients.keys() == {2}
    assert validate_request(request.body, 0)[1] == []


def test_body_is_empty_if_all_recipients_are_rejected(
    prepared: SendGridEmail, make_readers: MakeReaders
) -> None:
    (reader,) = make_readers(1)
    assert build_request(prepared, [with_name(reader, "x" * 20_000)], REQUEST_ID).body == b""


@given(
    name=st.text(st.characters(codec="utf-8"), max_size=40),
    city=st.text(st.characters(codec="utf-8"), max_size=40),
)
def test_request_is_valid_and_leaves_no_token_for_any_attribute_values(
    name: str, city: str
) -> None:
    email = Email(
        "2026-01-01-x", f"{NAME.token('text')}", "", f"{CITY.token('html')}", "text",
        NamedAddress("", "e@harbour-notes.org"), None, (), (NAME, CITY), "en", "",
    )  # fmt: skip
    prepared = prepare_email(email, configured())
    reader = Recipient(1, "a@example.com", "a", "tok", {"name": name, "city": city})
    mail_send, errors = validate_request(build_request(prepared, [reader], REQUEST_ID).body, 0)
    assert errors == []
    assert mail_send is not None
    values = mail_send.personalizations[0].substitutions
    assert values == {
        "-nl0t-": NAME.value({"name": name}, "text"),
        "-nl1h-": CITY.value({"city": city}, "html"),
    }
    assert not any(MERGE_TOKEN_PATTERN.search(value) for value in values.values())


@pytest.mark.parametrize("target", ["html", "text", "url"])
@pytest.mark.parametrize("name", ["-nl1h-", "", " "])
def test_value_or_default_that_looks_like_a_token_is_not_one(
    name: str, target: TokenTarget
) -> None:
    tag = MergeTag("0", "name", "-nlunsubscribeu-", "{{ subscriber.name }}")
    email = Email(
        "2026-01-01-x", "Ice", "", f"<p>{tag.token(target)}</p>", "text",
        NamedAddress("", "e@harbour-notes.org"), None, (), (tag,), "en", "",
    )  # fmt: skip
    reader = Recipient(1, "a@example.com", "a", "tok", {"name": name})
    substitutions = only_personalization(prepare_email(email, configured()), reader)[
        "substitutions"
    ]
    shown = unquote(substitutions[tag.token(target)])
    assert shown == (name.strip() or tag.default).replace("-", "\u2011")


@given(names=st.lists(st.text("aÖ \u2009|,;-nl0t<'\\\t", max_size=6), min_size=1, max_size=6))
@example(names=["-nl0t-", "Ada"])
@example(names=["Ada|Bo", " Cy"])
def test_personalization_is_the_same_in_a_batch_as_alone(names: list[str]) -> None:
    email = Email(
        "2026-01-01-x", NAME.token("text"), "", NAME.token("html"), "text",
        NamedAddress("", "e@harbour-notes.org"), None, (), (NAME,), "en", "",
    )  # fmt: skip
    prepared = prepare_email(email, configured())
    readers = [
        Recipient(number, f"{number}@example.com", f"{number}", "tok", {"name": name})
        for number, name in enumerate(names)
    ]
    batch = json.loads(build_request(prepared, readers, REQUEST_ID).body)["personalizations"]
    assert batch == [only_personalization(prepared, reader) for reader in readers]
    for name, personalization in zip(names, batch, strict=True):
        expected = {target: NAME.value({"name": name}, target) for target in ("text", "html")}
        assert personalization["substitutions"]["-nl0t-"] == expected["text"]
        assert personalization["substitutions"]["-nl0h-"] == expected["html"]


def test_batches_are_limited_by_count(prepared: SendGridEmail, make_readers: MakeReaders) -> None:
    readers = make_readers(25)
    batches = list(split_into_batches(prepared, iter(readers)))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert [reader for batch in batches for reader in batch] == readers


@pytest.mark.parametrize("limit", [16_000, 20_000, 40_000, 200_000])
def test_batches_are_limited_by_bytes(email: Email, make_readers: MakeReaders, limit: int) -> None:
    prepared = prepare_email(email, configured(limits={"request_bytes": limit}))
    readers = make_readers(1000)
    batches = list(split_into_batches(prepared, readers))
    bodies = [len(build_request(prepared, batch, REQUEST_ID).body) for batch in batches]
    assert max(bodies) <= limit
    assert min(bodies[:-1]) > limit * 0.85
    assert [reader for batch in batches for reader in batch] == readers


@pytest.mark.parametrize(("spare", "sizes"), [(0, [100, 100, 50]), (-1, [99, 99, 52])])
def test_batch_is_filled_to_the_last_byte(
    email: Email, make_readers: MakeReaders, spare: int, sizes: list[int]
) -> None:
    reader = make_readers(1)[0]
    readers = [reader] * 250
    prepared = prepare_email(email, configured(limits={"batch_size": 1_000}))
    (added,) = prepared.measure_recipients([reader])
    limit = prepared.shared_bytes + 100 * added + spare
    limited = prepare_email(email, configured(limits={"batch_size": 1_000, "request_bytes": limit}))
    assert [len(batch) for batch in split_into_batches(limited, readers)] == sizes
    longest_id = RequestId("9" * 20, "9" * 20, "9" * 20)
    one, two = (build_request(prepared, [reader] * count, longest_id).body for count in (1, 2))
    assert len(two) - len(one) == added


def test_request_per_recipient_holds_their_personalized_email(
    email: Email, make_readers: MakeReaders
) -> None:
    config = configured(sendgrid={"personalize": "per_request"})
    prepared = prepare_email(email, config)
    readers = make_readers(2)
    assert [len(batch) for batch in split_into_batches(prepared, readers)] == [1, 1]
    body = json.loads(build_request(prepared, readers[1:], REQUEST_ID).body)
    expected = personalize_for_recipient(email, config, readers[1].attributes, readers[1].token)
    assert body["subject"] == expected.subject == "The ice let go, Reader 2"
    assert [part["value"] for part in body["content"]] == [expected.text, expected.html]
    assert not MERGE_TOKEN_PATTERN.search(json.dumps(body))


def test_one_readers_copy_is_never_built_for_several(
    email: Email, make_readers: MakeReaders
) -> None:
    prepared = prepare_email(email, configured(sendgrid={"personalize": "per_request"}))
    with pytest.raises(SendRefusedError, match="several readers per request"):
        build_request(prepared, make_readers(2), REQUEST_ID)


def test_all_problems_of_the_email_are_reported_at_once(email: Email) -> None:
    invalid = replace(
        email,
        subject=" ",
        sender=NamedAddress("", "redaktør@harbour-notes.org"),
        headers=(("Received", "x"), ("X-Odd", "a\nb")),
    )
    config = configured(sendgrid={"categories": ["a", "a"]})
    with pytest.raises(SendRefusedError) as error:
        prepare_email(invalid, config)
    messages = " ".join(str(problem) for problem in error.value.problems)
    for words in ("ASCII", "Received", "line break", "categories", "no subject"):
        assert words in messages


def test_email_larger_than_a_request_is_refused(email: Email) -> None:
    large_email = replace(email, html="x" * 30_000)
    with pytest.raises(SendRefusedError, match="the email is too large"):
        prepare_email(large_email, configured(limits={"request_bytes": 30_000}))


def test_substitution_limit_counts_bytes_of_json(
    prepared: SendGridEmail, make_readers: MakeReaders
) -> None:
    (reader,) = make_readers(1)
    for length in range(4_000, 6_000, 97):
        request = build_request(prepared, [with_name(reader, "x" * length)], REQUEST_ID)
        if request.recipient_ids:
            values = json.loads(request.body)["personalizations"][0]["substitutions"]
            assert len(json.dumps(values)) <= MAX_SUBSTITUTION_BYTES + len(values) * 2
