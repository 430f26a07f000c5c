from collections.abc import Callable

import pytest

from newsletter.config import values

Check = Callable[[str], str]

# A key on P-256, made for these tests.
KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpWJ/9Cwa3skeGFHSh+KjX3JKEUb0sdZSoPcQ"
    "/8R0xaHaQtRPjLpX8fZpGsG1y8FCdZh9KUYiwdTyaaDSYy7vxg=="
)


@pytest.mark.parametrize(
    ("check", "text", "value"),
    [
        (values.line, "  Harbour Notes ", "Harbour Notes"),
        (values.line_or_nothing, "", ""),
        (values.lines, "1 Quay St\nBergen\n", "1 Quay St\nBergen"),
        (values.language, "zh-Hant-TW", "zh-Hant-TW"),
        (values.language, "en-x-quay", "en-x-quay"),
        (values.timezone, "America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        (values.address, "ed@harbournotes.example", "ed@harbournotes.example"),
        (values.address, "ed@bücher.example", "ed@xn--bcher-kva.example"),
        (values.own_url, "https://a.example/news/", "https://a.example/news"),
        (values.own_url, "http://localhost:8000", "http://localhost:8000"),
        (values.own_url, "http://127.0.0.9", "http://127.0.0.9"),
        (values.own_url, "http://[::1]:80", "http://[::1]:80"),
        (values.host, "https://api.eu.sendgrid.com/", "https://api.eu.sendgrid.com"),
        (values.web_url, "https://bücher.example/?a=b#c", "https://bücher.example/?a=b#c"),
        (values.link_url, "mailto:ed@harbournotes.example", "mailto:ed@harbournotes.example"),
        (values.link_url, "http://old.example/", "http://old.example/"),
        (values.issue_pattern, "https://a.example/{slug}.html", "https://a.example/{slug}.html"),
        (
            values.image_pattern,
            "https://{slug}.a.example/{file}",
            "https://{slug}.a.example/{file}",
        ),
        (values.origin, "https://Harbour-Notes.example/", "https://harbour-notes.example"),
        (values.network, "10.0.0.0/8", "10.0.0.0/8"),
        (values.network, "::1", "::1/128"),
        (values.public_key, KEY, KEY),
        (values.campaign, "{slug}-mail", "{slug}-mail"),
        (values.fonts, "'Iowan Old Style', Georgia, serif", "'Iowan Old Style', Georgia, serif"),
        (values.attribute, "first_name", "first_name"),
        (values.database, "sqlite:////var/lib/letters.db", "sqlite:////var/lib/letters.db"),
        (values.database, "postgresql+psycopg:///letters", "postgresql+psycopg:///letters"),
    ],
)
def test_right_values_are_taken(check: Check, text: str, value: str) -> None:
    assert check(text) == value


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (values.line, " \u00a0"),
        (values.line, "Harbour\nBcc: all@a.example"),
        (values.line, "Harbour\u2028Notes"),
        (values.line, "Harbour\x1b[31m"),
        (values.lines, "Quay\x00"),
        (values.lines, "Quay\n\nBergen"),
        (values.language, "English"),
        (values.language, "en_US"),
        (values.language, ""),
        (values.timezone, "Europe"),
        (values.timezone, "../../etc/passwd"),
        (values.timezone, ""),
        (values.timezone, "a\0b"),
        (values.address, "Ed <ed@a.example>"),
        (values.address, "ed@a.example\nBcc: x@a.example"),
        (values.address, "jürgen@a.example"),
        (values.address, "ed@localhost"),
        (values.own_url, "http://a.example"),
        (values.own_url, "http://127.0.0.1.a.example"),
        (values.own_url, "http://localhost.a.example"),
        (values.own_url, "https://me:pw@a.example"),
        (values.own_url, "https://@a.example"),
        (values.own_url, "https://a.example/?x"),
        (values.own_url, "https://a.example/#x"),
        (values.own_url, "https://a.example:99999"),
        (values.own_url, "https://:443"),
        (values.own_url, "https://[a"),
        (values.own_url, "https:/a.example"),
        (values.own_url, "a.example"),
        (values.own_url, 'https://a.example/" onclick="'),
        (values.own_url, "javascript://a.example/%0aalert(1)"),
        (values.host, "https://api.sendgrid.com/v3"),
        (values.origin, "https://a.example/page"),
        (values.origin, "*"),
        (values.network, "10.0.0.1/8"),
        (values.network, "proxy"),
        (values.public_key, KEY[:-4]),
        (values.public_key, KEY.replace("MFkw", "MFkx")),
        (values.public_key, KEY + "!"),
        (values.public_key, "schlüssel"),
        (values.web_url, "http://127.0.0.1/logo.png"),
        (values.web_url, "logo.png"),
        (values.link_url, "javascript:alert(1)"),
        (values.link_url, "data:text/html,x"),
        (values.link_url, "mailto:nobody"),
        (values.link_url, "http://"),
        (values.issue_pattern, "https://a.example/"),
        (values.issue_pattern, "https://a.example/{slug}/{date}"),
        (values.issue_pattern, "https://a.example/{slug}/}"),
        (values.issue_pattern, "https://a.example/{slug}{"),
        (values.issue_pattern, "{slug}"),
        (values.image_pattern, "https://a.example/{slug}"),
        (values.campaign, "{date}"),
        (values.fonts, 'Georgia" onload="x'),
        (values.fonts, "Georgia; color: red"),
        (values.fonts, "'Georgia, serif"),
        (values.attribute, "city!"),
        (values.attribute, ""),
        (values.database, "newsletter.db"),
        (values.database, "sqlite://newsletter.db"),
        (values.database, "sqlite:///"),
        (values.database, "mysql://db/letters"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(check: Check, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check(text)


def test_a_city_alone_finds_its_time_zone() -> None:
    with pytest.raises(ValueError, match="Did you mean 'America/New_York'"):
        values.timezone("new york")


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (values.database, "mysql://me:s3cret@db/letters"),
        (values.own_url, "https://me:s3cret@a.example"),
    ],
)
def test_a_complaint_never_repeats_a_password(check: Check, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check(text)
    assert "s3cret" not in str(caught.value)
