import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import NewsletterError, UsageError
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.front_matter.schema import FrontMatterFields, validate_front_matter
from newsletter.posts.importing.imported_post import ImportedPost, parse_imported_post
from newsletter.posts.importing.issue_folder.front_matter_writer import (
    HINTS_TITLE,
    format_post_file,
)
from newsletter.posts.slug import slugify

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would stop."
)


def parse(text: str, path: str = "post.md", keep: tuple[int, ...] = ()) -> ImportedPost:
    return parse_imported_post(text, path, language="en", keep=keep)


@pytest.mark.parametrize(
    ("text", "path", "title"),
    [
        (f"---\ntitle: Stated\n---\n# Heading\n\n{SENTENCE}", "a.md", "Stated"),
        (f"---\ntitle: 2024\n---\n{SENTENCE}", "a.md", "2024"),
        (f"# A *heading* with `code`\n\n{SENTENCE}", "a.md", "A heading with code"),
        (f"![](https://x.example/a.png)\n\n# Low tide\n\n{SENTENCE}", "a.md", "Low tide"),
        (f"{SENTENCE}\n\n## Later\n\n{SENTENCE}", "low-tide.md", "Low tide"),
        (f"Short.\n\n# Later\n\n{SENTENCE}", "low-tide.md", "Low tide"),
        (f"<p>Short.</p><h1>Later</h1><p>{SENTENCE}</p>", "low-tide.html", "Low tide"),
        (f"<p>Posted on 3 March 2026</p><h1>Low tide</h1><p>{SENTENCE}</p>", "a.html", "Low tide"),
        (SENTENCE, "x/2026-11-22-low_tide-today.md", "Low tide today"),
        (f"<title>Tide | Quay</title><body><p>{SENTENCE}</p>", "a.html", "Tide | Quay"),
        (f"<h2>Low tide</h2><p>{SENTENCE}</p>", "a.html", "Low tide"),
        (f"Low tide\n\n{SENTENCE}", "a.txt", "Low tide"),
        (f"{SENTENCE}\n\n{SENTENCE}", "low-tide.txt", "Low tide"),
    ],
)
def test_title_is_the_first_available(text: str, path: str, title: str) -> None:
    assert parse(text, path).title == title


def test_markdown_keeps_its_body_and_its_yaml_as_written() -> None:
    body = (
        "\nHello {{ subscriber.name | default('you') }},\n\n*  one\n*  two  \n\n"
        f"{SENTENCE}\n\n```\nBlog\n```\n\nLeave a Reply\n"
    )
    source = "# about the tide\ntitle:   'Low tide'\nmood: [calm,  wet]"
    post = parse(f"---\n{source}\n---\n{body}")
    written = format_post_file(post)
    assert written.startswith("---\n# about the tide\ntitle:   'Low tide'\nsubject: Low tide\n")
    assert f"\nextra:\n  mood: [calm,  wet]\n{HINTS_TITLE}" in written
    assert written.endswith(f"---\n{body}")
    assert split_front_matter(written, "").data == {
        "title": "Low tide",
        "subject": "Low tide",
        "preheader": SENTENCE,
        "author": None,
        "date": None,
        "canonical_url": None,
        "language": "en",
        "tags": [],
        "extra": {"mood": ["calm", "wet"]},
    }


def test_existing_settings_are_not_added_again() -> None:
    settings = (
        "Title: Low tide\nsubject: Come down\ndescription: What it leaves\nauthor: {name: Ada}\n"
        "date: 2026-03-01\nCanonical-URL: https://quay.example/tide\nlanguage: nb\ntags: a, b"
    )
    post = parse(f"---\n{settings}\n---\n{SENTENCE}")
    written = format_post_file(post)
    assert written.startswith(f"---\n{settings}\npreheader: What it leaves\n{HINTS_TITLE}")
    assert written.endswith(f"\n---\n\n{SENTENCE}\n")
    assert (post.title, post.date) == ("Low tide", datetime.date(2026, 3, 1))


@pytest.mark.parametrize(
    "settings",
    [
        "+++\ntitle = 'Low tide'\nat = 12:30:00\n[extra]\nmood = 'wet'\n+++\n",
        '{"title": "Low tide", "at": "12:30:00", "extra": {"mood": "wet"}}\n',
        "---\n{title: Low tide, at: '12:30:00', extra: {mood: wet}}\n---\n",
    ],
    ids=["toml", "json", "yaml in braces"],
)
def test_other_front_matter_is_converted_to_yaml(settings: str) -> None:
    data = split_front_matter(format_post_file(parse(f"{settings}{SENTENCE}\n")), "").data
    assert list(data)[:2] == ["title", "subject"]
    assert {key: data[key] for key in ("title", "subject", "extra")} == {
        "title": "Low tide",
        "subject": "Low tide",
        "extra": {"mood": "wet", "at": "12:30:00"},
    }


@pytest.mark.parametrize(
    ("source", "written"),
    [
        (
            "# one\nlayout: post\n# two\ntitle: Low tide\n# three\ntext: |\n  a\n\n  # b\nc: [d]\n",
            "# two\ntitle: Low tide\n",
        ),
        ("title: Low tide\nauthors: [A, B]\n", "title: Low tide\n"),
        ("title: A &amp; B\nextra: {x: 1}\ny: 2\n", ""),
        ("a: &x 1\ntitle: Low tide\nb: *x\n", "title: Low tide\n"),
        ("title: &x Low tide\nb: *x\n", ""),
        ("a: 1\na: 2\ntitle: Low tide\n", "title: Low tide\n"),
        ("title: Low tide\ndate: '2026-10-02 10:00:00 +0200'\nx: 1\n", "title: Low tide\ndate: '2"),
        ("date: '2026-10-02 10:00:00 +0200'\ntitle: A &amp; B\nx: '12:30'\n", "date: '2"),
    ],
)
def test_written_front_matter_holds_all_settings(source: str, written: str) -> None:
    post = parse(f"---\n{source}---\n{SENTENCE}")
    text = format_post_file(post)
    assert text.startswith(f"---\n{written}")
    assert split_front_matter(text, "").data == post.front_matter


def test_moved_settings_stay_as_written() -> None:
    source = (
        "title: Low tide\n# when\nat: 2026-10-02 10:00:00 +0200\ntext: |\n  a\n\n  # b\n"
        "list:\n- x  # y\n"
    )
    assert (
        "extra:\n  # when\n  at: 2026-10-02 10:00:00 +0200\n  text: |\n    a\n\n    # b\n"
        f"  list:\n  - x  # y\n{HINTS_TITLE}"
    ) in format_post_file(parse(f"---\n{source}---\n{SENTENCE}"))


def test_heading_that_repeats_the_title_is_removed() -> None:
    assert parse(f"# Low tide\n\n{SENTENCE}\n").body == f"{SENTENCE}\n"
    assert parse(f"---\ntitle: Low tide\n---\n\n# Low tide\n\n{SENTENCE}\n").body == (
        f"\n{SENTENCE}\n"
    )
    assert parse(f"---\ntitle: Stated\n---\n# Other\n\n{SENTENCE}\n").body == (
        f"# Other\n\n{SENTENCE}\n"
    )
    for heading in ("## Later", "# Later"):
        for title in ("", "---\ntitle: Later\n---\n"):
            later = f"{SENTENCE}\n\n{heading}\n\nMore.\n"
            assert parse(title + later).body == later
    page = f"---\ntitle: Later\n---\n<p>Short.</p>\n<h2>Later</h2>\n<p>{SENTENCE}</p>\n"
    assert parse(page, "a.html").body == page.split("---\n")[2]


def test_spam_in_markdown_is_set_aside_with_its_line_in_the_file() -> None:
    text = f"---\ntitle: Low tide\n---\n{SENTENCE}\n\n[Best online\ncasino](x)\n\n{SENTENCE}\n"
    post = parse(text)
    assert post.body == f"{SENTENCE}\n\n{SENTENCE}\n"
    assert [(entry.line, entry.text) for entry in post.set_aside] == [(6, "Best online casino")]
    assert parse(text, keep=(6,)).body == f"{SENTENCE}\n\n[Best online\ncasino](x)\n\n{SENTENCE}\n"


def test_heading_that_is_set_aside_is_not_the_title() -> None:
    post = parse(f"# سكس سكس\n\n# Low tide\n\n{SENTENCE}\n")
    assert (post.title, post.body) == ("Low tide", f"{SENTENCE}\n")
    assert [entry.text for entry in post.set_aside] == ["سكس سكس"]


PAGE = f"""<!doctype html>
<html lang="nn">
<head><title>Low tide | Quay</title>
<link rel="canonical" href="https://quay.example/tide">
<meta name="description" content="What the tide leaves.">
<meta name="author" content="Ada Berg">
<meta property="article:published_time" content="2026-03-04T10:00:00+01:00">
<meta property="article:tag" content="tides">
</head>
<body><nav>Blog</nav>
<article><p>Blog</p>
<h1>Low tide</h1>
<p>Posted on March 4, 2026</p>
<p>{SENTENCE}</p>
<p>{SENTENCE} She said <i lang="el">φιλία</i>.</p>
<p>смотреть <a href="https://spam.example">онлайн</a></p>
<ul><li>Share this:</li><li>Email</li></ul>
<h3>Leave a Reply</h3>
<p>Your email address will not be published.
Required fields are marked <span>*</span></p>
</article></body></html>
"""


def test_web_page_becomes_its_article_and_metadata() -> None:
    post = parse(PAGE, "tide.html")
    assert post.body_format == "html"
    assert post.body == (f'<p>{SENTENCE}</p>\n<p>{SENTENCE} She said <i lang="el">φιλία</i>.</p>\n')
    assert post.front_matter == {
        "title": "Low tide",
        "subject": "Low tide",
        "preheader": "What the tide leaves.",
        "author": "Ada Berg",
        "date": datetime.date(2026, 3, 4),
        "canonical_url": "https://quay.example/tide",
        "language": "nn",
        "tags": ["tides"],
    }
    assert [(entry.line, entry.text) for entry in post.removed] == [
        (10, "Blog"),
        (11, "Blog"),
        (13, "Posted on March 4, 2026"),
        (17, "Share this:"),
        (17, "Email"),
        (18, "Leave a Reply"),
        (19, "Your email address will not be published. Required fields are marked *"),
    ]
    assert [(entry.line, entry.text) for entry in post.set_aside] == [
        (16, "смотреть онлайн https://spam.example")
    ]


def test_keep_restores_a_line_of_a_web_page() -> None:
    post = parse(PAGE, "tide.html", keep=(16,))
    assert '<p>смотреть <a href="https://spam.example">онлайн</a></p>' in post.body
    assert post.set_aside == ()


def test_minified_page_and_br_elements_are_parsed() -> None:
    post = parse(f"<h1>Low<br>tide</h1><p>{SENTENCE}</p><p>Buy<br>viagra</p>", "a.html")
    assert post.title == "Low tide"
    assert [(entry.line, entry.text) for entry in post.set_aside] == [(1, "Buy viagra")]


def test_lines_of_html_with_front_matter_are_those_of_the_file() -> None:
    post = parse(f"---\ntitle: Low tide\n---\n<p>{SENTENCE}</p>\n<p>Buy viagra</p>", "a.html")
    assert [(entry.line, entry.text) for entry in post.set_aside] == [(5, "Buy viagra")]


def test_keep_of_a_line_that_was_not_removed_lists_removed_lines() -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"Blog\n\nLow tide\n\n{SENTENCE}\n\nLeave a Reply\n", "a.txt", keep=(1, 5, 9))
    assert str(caught.value) == (
        "--keep 5, 9: nothing was removed there. Lines that can be kept: 1, 7"
    )


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("", "a.md", "a.md: the post is empty; nothing was imported"),
        (" \n\n", "a.txt", "a.txt: the post is empty; nothing was imported"),
        ("---\ntitle: x\n---\n", "a.md", "a.md: the post has no text; nothing was imported"),
        ("# x", "a.md", "a.md: the post has no text; nothing was imported"),
        ("<p> </p>", "a.html", "a.html: the post has no text; nothing was imported"),
        ('{"db": [{"data": {}}]}', "x.json", "x.json: this is an export or a feed"),
        ('{\n"posts": [\n{}]}', "x.json", "x.json: this is an export or a feed"),
        ('[ {"title": "x"}]', "x.json", "x.json: this is an export or a feed"),
        ('<?xml version="1.0"?>\n<!-- a\nb -->\n<rss version="2.0">', "-", "-: this is an export"),
        ('<feed xmlns="x">', "x.xml", "x.xml: this is an export or a feed"),
        ("email,name\nada@example.com,Ada", "x.csv", "x.csv: this is a table, not a post"),
        (SENTENCE, "-", "-: the post has no title. Add a heading as its first line"),
        (f"{SENTENCE}\n\n## Later", "-", "-: the post has no title. Add a heading as its first"),
        (SENTENCE, "?.txt", "?.txt: the post has no title"),
        (f"---\ntitle: '…!'\n---\n{SENTENCE}", "a.md", "a.md: the post has no title"),
    ],
)
def test_invalid_sources_are_rejected(text: str, path: str, message: str) -> None:
    with pytest.raises(NewsletterError) as caught:
        parse(text, path)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (f"---\nsubject: The *first*\n---\n{SENTENCE}", "The first"),
        (f"---\nsubject: The first\n---\n# Tide\n\n{SENTENCE}", "Tide"),
        (f"---\nsubject: The first\ntitle: Fog\n---\n{SENTENCE}", "Fog"),
    ],
)
def test_an_email_without_a_title_has_its_subject(text: str, title: str) -> None:
    post = parse(text, "emails/welcome.md")
    assert post.title == title


@pytest.mark.parametrize(
    ("title", "path", "slug"),
    [
        ("🎉🎉🎉", "party.md", "party"),
        ("❤️", "2026-10-02-love.md", "love"),
        ("🎉", "-", ""),
        ("🎉 Party", "a.md", "tada-party"),
    ],
)
def test_an_emoji_is_a_title_but_no_slug(title: str, path: str, slug: str) -> None:
    post = parse(f"---\ntitle: {title}\n---\n{SENTENCE}", path)
    assert (post.title, post.slug) == (title, slug)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        (
            "Building Trust: It isn\u2019t a one-time deposit",
            "building-trust-it-isnt-a-one-time-deposit",
        ),
        ("Ærlig talt, Åse & Øyvind", "aerlig-talt-ase-oyvind"),
        ("東京の朝", "dongjingnochao"),
        ("word " * 20, "word-word-word-word-word-word-word-word-word-word-word-word"),
        ("x" * 90, "x" * 60),
        ("../../etc/passwd", "etc-passwd"),
        ("…", ""),
    ],
)
def test_slugs_are_short_lowercase_ascii(title: str, slug: str) -> None:
    assert slugify(title) == slug


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Building trust: it isn\u2019t a one-time deposit", "building-trust-it-isnt-a-one-time"),
        ("a" * 40, "a" * 40),
        ("a" * 40 + " b", "a" * 40),
        ("a" * 38 + " bc", "a" * 38),
        ("a" * 38 + " b c", f"{'a' * 38}-b"),
        ("a" * 39 + "- b", "a" * 39),
        ("x" * 90, "x" * 40),
        ("ß" * 50, "ss" * 20),
    ],
)
def test_slug_of_a_title_is_cut_at_a_word(title: str, slug: str) -> None:
    assert parse(f"---\ntitle: {title}\n---\n{SENTENCE}").slug == slug


def test_slug_that_the_author_chose_is_not_cut_as_short() -> None:
    slug = "building-trust-it-isnt-a-one-time-deposit"
    assert parse(f"---\ntitle: A\nslug: {slug}\n---\n{SENTENCE}").slug == slug


HINT = re.compile(r"^# (?!Optional)(.*)$", re.MULTILINE)


def test_optional_settings_are_comments_that_work_when_uncommented() -> None:
    text = format_post_file(parse(f"# Low tide\n\n{SENTENCE}\n"))
    uncommented = split_front_matter(HINT.sub(r"\1", text, count=9), "")
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith("#"))
    assert uncommented.body.strip() == SENTENCE
    fields = validate_front_matter(uncommented, "")
    unset = FrontMatterFields()
    changed = {
        name
        for name in FrontMatterFields.model_fields
        if getattr(fields, name) != getattr(unset, name)
    }
    assert changed == {
        *("title", "subject", "preheader", "language", "number", "hero", "button", "further"),
        *("sender_name", "reply_to", "template", "archive", "draft"),
    }


@pytest.mark.parametrize(
    ("settings", "absent"),
    [
        ("Draft: true\nReply-To: a@b.example", ["draft", "reply_to"]),
        ("# hero: mine.jpg\ntitle: A", ["hero: {"]),
        ("#button:\ntitle: A", ["button: {"]),
    ],
)
def test_setting_that_is_there_is_no_comment(settings: str, absent: list[str]) -> None:
    text = format_post_file(parse(f"---\n{settings}\n---\n# Low tide\n\n{SENTENCE}\n"))
    assert [key for key in absent if f"# {key}" in text] == []
    assert "# number: 12" in text


def test_comments_that_the_editor_deleted_stay_deleted() -> None:
    once = format_post_file(parse(f"# Low tide\n\n{SENTENCE}\n"))
    shorter = re.sub(r"^# (number|hero).*\n", "", once, flags=re.MULTILINE)
    assert format_post_file(parse(shorter)) == shorter


def test_outline_counts_paragraphs_words_and_images() -> None:
    post = parse(
        f"# Low tide\n\n{SENTENCE}\n\n- {SENTENCE}\n\n![not read](https://x.example/a.png)\n"
    )
    assert (
        post.outline.paragraph_count,
        post.outline.word_count,
        post.outline.reading_minutes,
    ) == (1, 40, 1)
    assert post.outline.image_urls == ("https://x.example/a.png",)


PIECES = st.sampled_from(
    [
        *("<p>", "</p>", "<div>", "</div>", "<ul><li>", "</li></ul>", "<h1>x</h1>", "<br>"),
        *("<!doctype html>", "<article>", "</article>", "<!--", "-->", "<script>", "<a href=x>"),
        *("\n", "\n\n", "---\n", "+++\n", "title: x\n", "# H\n", "- a\n", "```\n", "[^1]", "{.c}"),
        *("Leave a Reply", "سكس", SENTENCE, "&amp;", "\\", "date: 2026-01-01\n", '{"title":"x"}\n'),
    ]
)


# decode_text() removes control characters.
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8
)


@given(
    st.lists(st.one_of(PIECES, TEXT), max_size=25).map("".join),
    st.sampled_from(["a.md", "a.html", "a.txt", "-"]),
)
def test_any_source_is_rejected_or_round_trips(text: str, path: str) -> None:
    try:
        post = parse(text, path)
    except NewsletterError:
        return
    written = split_front_matter(format_post_file(post), "post.md")
    assert written.body.strip() == post.body.strip()
    assert written.data.keys() >= {"subject", "preheader", "language"}


@pytest.mark.parametrize(
    ("front_matter", "body", "title", "preheader"),
    [
        ("title: A *b* and `c`", f"{SENTENCE}[^1]\n\n[^1]: d", "A b and c", SENTENCE),
        ("title: a\nsummary: '**b** [c](d) :wave: e[^1] ~~f~~'", SENTENCE, "a", "b c 👋 e f"),
        ("title: Using {{ b }} in c", SENTENCE, 'Using {{ "{{" }} b }} in c', SENTENCE),
        ("title: Hello {{ subscriber.name }}", SENTENCE, "Hello {{ subscriber.name }}", SENTENCE),
        ("title: a_b_c 2 * 3 <div> R&D", SENTENCE, "a_b_c 2 * 3 <div> R&D", SENTENCE),
        ("title: a\nsummary: '**「い」**は'", SENTENCE, "a", "「い」は"),
    ],
)
def test_titles_and_preheaders_are_plain_text(
    front_matter: str, body: str, title: str, preheader: str
) -> None:
    post = parse(f"---\n# why\n{front_matter}\n---\n{body}\n")
    written = split_front_matter(format_post_file(post), "post.md").data
    assert (written["title"], written["preheader"]) == (title, preheader)
    assert ("# why" in format_post_file(post)) == (f"title: {title}\n" in f"{front_matter}\n")


def test_other_tools_markup_is_translated_and_listed_by_its_line() -> None:
    text = f"---\ntitle: a\n---\n{SENTENCE}\n\n{{{{< youtube aBcDeFgHiJk >}}}}\n\n{{{{ b }}}}\n"
    post = parse(text)
    assert "iframe" in post.body
    assert [(line, why) for line, _, why in post.removed] == [
        (6, "Hugo shortcode youtube, now a video"),
        (8, "braces that are not a merge tag, now text"),
    ]
    assert "{{< youtube" not in parse(text, keep=(8,)).body
    assert "{{ b }}" in parse(text, keep=(8,)).body
