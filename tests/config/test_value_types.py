from collections.abc import Callable

import pytest

from newsletter.config import value_types

Check = Callable[[str], str]

# A key on P-256, made for these tests.
KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpWJ/9Cwa3skeGFHSh+KjX3JKEUb0sdZSoPcQ"
    "/8R0xaHaQtRPjLpX8fZpGsG1y8FCdZh9KUYiwdTyaaDSYy7vxg=="
)


@pytest.mark.parametrize(
    ("check", "text", "value"),
    [
        (value_types.line, "  Harbour Notes ", "Harbour Notes"),
        (value_types.line_or_nothing, "", ""),
        (value_types.lines, "1 Quay St\nBergen\n", "1 Quay St\nBergen"),
        (value_types.language, "zh-Hant-TW", "zh-Hant-TW"),
        (value_types.language, "en-x-quay", "en-x-quay"),
        (value_types.timezone, "America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        (value_types.address, "ed@harbournotes.example", "ed@harbournotes.example"),
        (value_types.address, "ed@bücher.example", "ed@xn--bcher-kva.example"),
        (value_types.own_url, "https://a.example/news/", "https://a.example/news"),
        (value_types.own_url, "http://localhost:8000", "http://localhost:8000"),
        (value_types.own_url, "http://127.0.0.9", "http://127.0.0.9"),
        (value_types.own_url, "http://[::1]:80", "http://[::1]:80"),
        (value_types.host, "https://api.eu.sendgrid.com/", "https://api.eu.sendgrid.com"),
        (value_types.web_url, "https://bücher.example/?a=b#c", "https://bücher.example/?a=b#c"),
        (value_types.link_url, "mailto:ed@harbournotes.example", "mailto:ed@harbournotes.example"),
        (value_types.link_url, "http://old.example/", "http://old.example/"),
        (
            value_types.issue_pattern,
            "https://a.example/{slug}.html",
            "https://a.example/{slug}.html",
        ),
        (
            value_types.image_pattern,
            "https://{slug}.a.example/{file}",
            "https://{slug}.a.example/{file}",
        ),
        (value_types.origin, "https://Harbour-Notes.example/", "https://harbour-notes.example"),
        (value_types.network, "10.0.0.0/8", "10.0.0.0/8"),
        (value_types.network, "::1", "::1/128"),
        (value_types.public_key, KEY, KEY),
        (value_types.campaign, "{slug}-mail", "{slug}-mail"),
        (
            value_types.fonts,
            "'Iowan Old Style', Georgia, serif",
            "'Iowan Old Style', Georgia, serif",
        ),
        (value_types.attribute, "first_name", "first_name"),
        (value_types.database, "sqlite:////var/lib/letters.db", "sqlite:////var/lib/letters.db"),
        (value_types.database, "postgresql+psycopg:///letters", "postgresql+psycopg:///letters"),
    ],
)
def test_right_values_are_taken(check: Check, text: str, value: str) -> None:
    assert check(text) == value


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (value_types.line, " \u00a0"),
        (value_types.line, "Harbour\nBcc: all@a.example"),
        (value_types.line, "Harbour\u2028Notes"),
        (value_types.line, "Harbour\x1b[31m"),
        (value_types.lines, "Quay\x00"),
        (value_types.lines, "Quay\n\nBergen"),
        (value_types.language, "English"),
        (value_types.language, "en_US"),
        (value_types.language, ""),
        (value_types.timezone, "Europe"),
        (value_types.timezone, "../../etc/passwd"),
        (value_types.timezone, ""),
        (value_types.timezone, "a\0b"),
        (value_types.address, "Ed <ed@a.example>"),
        (value_types.address, "ed@a.example\nBcc: x@a.example"),
        (value_types.address, "jürgen@a.example"),
        (value_types.address, "ed@localhost"),
        (value_types.own_url, "http://a.example"),
        (value_types.own_url, "http://127.0.0.1.a.example"),
        (value_types.own_url, "http://localhost.a.example"),
        (value_types.own_url, "https://me:pw@a.example"),
        (value_types.own_url, "https://@a.example"),
        (value_types.own_url, "https://a.example/?x"),
        (value_types.own_url, "https://a.example/#x"),
        (value_types.own_url, "https://a.example:99999"),
        (value_types.own_url, "https://:443"),
        (value_types.own_url, "https://[a"),
        (value_types.own_url, "https:/a.example"),
        (value_types.own_url, "a.example"),
        (value_types.own_url, 'https://a.example/" onclick="'),
        (value_types.own_url, "javascript://a.example/%0aalert(1)"),
        (value_types.host, "https://api.sendgrid.com/v3"),
        (value_types.origin, "https://a.example/page"),
        (value_types.origin, "*"),
        (value_types.network, "10.0.0.1/8"),
        (value_types.network, "proxy"),
        (value_types.public_key, KEY[:-4]),
        (value_types.public_key, KEY.replace("MFkw", "MFkx")),
        (value_types.public_key, KEY + "!"),
        (value_types.public_key, "schlüssel"),
        (value_types.web_url, "http://127.0.0.1/logo.png"),
        (value_types.web_url, "logo.png"),
        (value_types.link_url, "javascript:alert(1)"),
        (value_types.link_url, "data:text/html,x"),
        (value_types.link_url, "mailto:nobody"),
        (value_types.link_url, "http://"),
        (value_types.issue_pattern, "https://a.example/"),
        (value_types.issue_pattern, "https://a.example/{slug}/{date}"),
        (value_types.issue_pattern, "https://a.example/{slug}/}"),
        (value_types.issue_pattern, "https://a.example/{slug}{"),
        (value_types.issue_pattern, "{slug}"),
        (value_types.image_pattern, "https://a.example/{slug}"),
        (value_types.campaign, "{date}"),
        (value_types.fonts, 'Georgia" onload="x'),
        (value_types.fonts, "Georgia; color: red"),
        (value_types.fonts, "'Georgia, serif"),
        (value_types.attribute, "city!"),
        (value_types.attribute, ""),
        (value_types.database, "newsletter.db"),
        (value_types.database, "sqlite://newsletter.db"),
        (value_types.database, "sqlite:///"),
        (value_types.database, "mysql://db/letters"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(check: Check, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check(text)


def test_a_city_alone_finds_its_time_zone() -> None:
    with pytest.raises(ValueError, match="Did you mean 'America/New_York'"):
        value_types.timezone("new york")


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (value_types.database, "mysql://me:s3cret@db/letters"),
        (value_types.own_url, "https://me:s3cret@a.example"),
    ],
)
def test_a_complaint_never_repeats_a_password(check: Check, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check(text)
    assert "s3cret" not in str(caught.value)
