from collections.abc import Callable

import email_validator
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import value_types

Parse = Callable[[str], str]

# A P-256 key generated for these tests.
KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpWJ/9Cwa3skeGFHSh+KjX3JKEUb0sdZSoPcQ"
    "/8R0xaHaQtRPjLpX8fZpGsG1y8FCdZh9KUYiwdTyaaDSYy7vxg=="
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (value_types.parse_line, "  Harbour Notes ", "Harbour Notes"),
        (value_types.parse_optional_line, "", ""),
        (value_types.parse_lines, "1 Quay St\nBergen\n", "1 Quay St\nBergen"),
        (value_types.parse_language_tag, "zh-Hant-TW", "zh-Hant-TW"),
        (value_types.parse_language_tag, "en-x-quay", "en-x-quay"),
        (value_types.parse_topic_key, "Gro\u00df-\u00e4rger_9", "Gro\u00df-\u00e4rger_9"),
        (value_types.parse_timezone, "America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        (value_types.parse_sender_address, "ed@harbournotes.example", "ed@harbournotes.example"),
        (value_types.parse_sender_address, "ed@bücher.example", "ed@xn--bcher-kva.example"),
        (value_types.parse_base_url, "https://a.example/news/", "https://a.example/news"),
        (value_types.parse_base_url, "http://localhost:8000", "http://localhost:8000"),
        (value_types.parse_base_url, "http://127.0.0.9", "http://127.0.0.9"),
        (value_types.parse_base_url, "http://[::1]:80", "http://[::1]:80"),
        (value_types.parse_api_host, "https://api.eu.sendgrid.com/", "https://api.eu.sendgrid.com"),
        (
            value_types.parse_https_url,
            "https://bücher.example/?a=b#c",
            "https://bücher.example/?a=b#c",
        ),
        (
            value_types.parse_link_url,
            "mailto:ed@harbournotes.example",
            "mailto:ed@harbournotes.example",
        ),
        (value_types.parse_link_url, "http://old.example/", "http://old.example/"),
        (
            value_types.parse_permalink_pattern,
            "https://a.example/{year}/{month}/{day}/{slug}/",
            "https://a.example/{year}/{month}/{day}/{slug}/",
        ),
        (
            value_types.parse_feed_url,
            "http://a.example/?feed=rss2",
            "http://a.example/?feed=rss2",
        ),
        (
            value_types.parse_issue_url_pattern,
            "https://a.example/{slug}.html",
            "https://a.example/{slug}.html",
        ),
        (
            value_types.parse_image_url_pattern,
            "https://{slug}.a.example/{file}",
            "https://{slug}.a.example/{file}",
        ),
        (
            value_types.parse_web_origin,
            "https://Harbour-Notes.example/",
            "https://harbour-notes.example",
        ),
        (value_types.parse_network, "10.0.0.0/8", "10.0.0.0/8"),
        (value_types.parse_network, "::1", "::1/128"),
        (value_types.parse_webhook_key, KEY, KEY),
        (value_types.parse_utm_value, "{slug}-mail", "{slug}-mail"),
        (
            value_types.parse_font_stack,
            "'Iowan Old Style', Georgia, serif",
            "'Iowan Old Style', Georgia, serif",
        ),
        (value_types.parse_attribute_name, "first_name", "first_name"),
        (
            value_types.parse_database_url,
            "sqlite:////var/lib/letters.db",
            "sqlite:////var/lib/letters.db",
        ),
        (
            value_types.parse_database_url,
            "postgresql+psycopg:///letters",
            "postgresql+psycopg:///letters",
        ),
    ],
)
def test_valid_values_are_accepted_and_normalized(parse: Parse, text: str, value: str) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (value_types.parse_line, " \u00a0"),
        (value_types.parse_line, "Harbour\nBcc: all@a.example"),
        (value_types.parse_line, "Harbour\u2028Notes"),
        (value_types.parse_line, "Harbour\x1b[31m"),
        (value_types.parse_lines, "Quay\x00"),
        (value_types.parse_lines, "Quay\n\nBergen"),
        (value_types.parse_language_tag, "English"),
        (value_types.parse_language_tag, "en_US"),
        (value_types.parse_language_tag, ""),
        (value_types.parse_timezone, "Europe"),
        (value_types.parse_timezone, "../../etc/passwd"),
        (value_types.parse_timezone, ""),
        (value_types.parse_timezone, "a\0b"),
        (value_types.parse_sender_address, "Ed <ed@a.example>"),
        (value_types.parse_sender_address, "ed@a.example\nBcc: x@a.example"),
        (value_types.parse_sender_address, "jürgen@a.example"),
        (value_types.parse_sender_address, "ed@localhost"),
        (value_types.parse_base_url, "http://a.example"),
        (value_types.parse_base_url, "http://127.0.0.1.a.example"),
        (value_types.parse_base_url, "http://localhost.a.example"),
        (value_types.parse_base_url, "https://me:pw@a.example"),
        (value_types.parse_base_url, "https://@a.example"),
        (value_types.parse_base_url, "https://a.example/?x"),
        (value_types.parse_base_url, "https://a.example/{slug}"),
        (value_types.parse_base_url, "https://a.example/{env.HOME}/x"),
        (value_types.parse_base_url, "https://a.example/#x"),
        (value_types.parse_base_url, "https://a.example:99999"),
        (value_types.parse_base_url, "https://:443"),
        (value_types.parse_base_url, "https://[a"),
        (value_types.parse_base_url, "https:/a.example"),
        (value_types.parse_base_url, "a.example"),
        (value_types.parse_base_url, 'https://a.example/" onclick="'),
        (value_types.parse_base_url, "javascript://a.example/%0aalert(1)"),
        (value_types.parse_api_host, "https://api.sendgrid.com/v3"),
        (value_types.parse_web_origin, "https://a.example/page"),
        (value_types.parse_web_origin, "*"),
        (value_types.parse_network, "10.0.0.1/8"),
        (value_types.parse_network, "proxy"),
        (value_types.parse_webhook_key, KEY[:-4]),
        (value_types.parse_webhook_key, KEY.replace("MFkw", "MFkx")),
        (value_types.parse_webhook_key, KEY + "!"),
        (value_types.parse_webhook_key, "schlüssel"),
        (value_types.parse_https_url, "http://127.0.0.1/logo.png"),
        (value_types.parse_https_url, "logo.png"),
        (value_types.parse_link_url, "javascript:alert(1)"),
        (value_types.parse_link_url, "data:text/html,x"),
        (value_types.parse_link_url, "mailto:nobody"),
        (value_types.parse_link_url, "http://"),
        (value_types.parse_permalink_pattern, "https://a.example/{year}/"),
        (value_types.parse_permalink_pattern, "https://a.example/{slug}/{week}"),
        (value_types.parse_permalink_pattern, "{year}/{slug}"),
        (value_types.parse_feed_url, "ftp://a.example/feed"),
        (value_types.parse_feed_url, "https://me:secret@a.example/feed"),
        (value_types.parse_feed_url, "/feed.xml"),
        (value_types.parse_issue_url_pattern, "https://a.example/"),
        (value_types.parse_issue_url_pattern, "https://a.example/{slug}/{date}"),
        (value_types.parse_issue_url_pattern, "https://a.example/{slug}/}"),
        (value_types.parse_issue_url_pattern, "https://a.example/{slug}{"),
        (value_types.parse_issue_url_pattern, "{slug}"),
        (value_types.parse_image_url_pattern, "https://a.example/{slug}"),
        (value_types.parse_utm_value, "{date}"),
        (value_types.parse_font_stack, 'Georgia" onload="x'),
        (value_types.parse_font_stack, "Georgia; color: red"),
        (value_types.parse_font_stack, "'Georgia, serif"),
        (value_types.parse_attribute_name, "city!"),
        (value_types.parse_attribute_name, ""),
        (value_types.parse_database_url, "newsletter.db"),
        (value_types.parse_database_url, "sqlite://newsletter.db"),
        (value_types.parse_database_url, "sqlite:///"),
        (value_types.parse_database_url, "mysql://db/letters"),
    ],
)
def test_invalid_values_are_rejected(parse: Parse, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_city_name_suggests_its_time_zone() -> None:
    with pytest.raises(ValueError, match="Did you mean 'America/New_York'"):
        value_types.parse_timezone("new york")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (value_types.parse_database_url, "mysql://me:s3cret@db/letters"),
        (value_types.parse_base_url, "https://me:s3cret@a.example"),
    ],
)
def test_error_message_never_contains_a_password(parse: Parse, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "key", ["", "-x", "two words", "x" * 51, "a<b", "\u0130zmir", "\u00df" * 50]
)
def test_topic_key_is_valid_as_it_is_stored_too(key: str) -> None:
    """Exports have it in lower case, and are imported."""
    with pytest.raises(ValueError, match="is not a valid topic"):
        value_types.parse_topic_key(key)


@given(
    st.from_regex(r"[a-zA-Z0-9._+-]{1,9}@([a-z0-9-]{1,9}\.){1,3}[a-z0-9]{1,4}", fullmatch=True)
    | st.from_regex(value_types._PLAIN_ADDRESS, fullmatch=True)
    | st.sampled_from(email_validator.SPECIAL_USE_DOMAIN_NAMES).map("ed@a.{}".format)
)
def test_plain_addresses_are_those_of_email_validator(address: str) -> None:
    try:
        expected = email_validator.validate_email(address, check_deliverability=False).ascii_email
    except email_validator.EmailNotValidError:
        expected = None
    try:
        parsed = value_types.parse_email_address(address)
    except ValueError:
        parsed = None
    assert parsed == expected
