import datetime
import errno
import os
from collections.abc import Callable
from pathlib import Path

import lxml.html
import pytest

from newsletter.config.models import Config, Limits
from newsletter.errors import Location, PostError
from newsletter.posts import (
    Author,
    CallToAction,
    FrontMatterImage,
    FurtherReadingCard,
    Issue,
    LocalImage,
)
from newsletter.posts.images import is_local_image
from newsletter.posts.read_issue import read_issue

Png = Callable[[int, int], bytes]
MakeIssue = Callable[..., Path]
ReadPost = Callable[..., Issue]

FULL_POST = """\
---
title: The first boat
subject: '{{ subscriber.name }}, the first boat is in'
preheader: >
  And so
  is the fog.
number: 12
draft: yes
author:
  name: Ada Berg
  bio: Mends nets.
  url: https://ada.example
  picture: ada.png
date: 2026-11-22 09:00:00
canonical_url: https://harbournotes.example/first
language: en-GB
tags: [boats, fog]
sender_name: Ada at Harbour Notes
reply-to: ada@harbournotes.example
template: plain
hero: {src: hero.png, alt: A boat, caption: At the quay.}
button: {text: Change what you get, url: "{{ preferences_url }}"}
further:
  - {title: Knots, url: https://harbournotes.example/knots, text: Three, picture: knots.png}
layout: post
---
# The first boat

Good morning {{ subscriber.name | default("friend") }} in {{ subscriber.city | default(“town”) }},

see "this"[^1] and ![a boat](my%20boat.png "At sea") and <img src="img/b.png?v=2">.

> [!TIP]
> - [x] rope

| a | b |
|---|---|
| 1 | 2 |

```jinja
{{ subscriber.secret }}

{{ anything | goes }}
```

Term
: `{{ code }}` and <code>{{ more }}</code>

<video src="https://films.example/a.mp4" poster="poster.png"></video>
<script>alert(1)</script>

Or [unsubscribe]({{ unsubscribe_url }}).

[^1]: A note.
"""


@pytest.fixture
def full_issue(read_post: ReadPost, png: Png) -> Issue:
    names = ("ada", "hero", "knots", "my boat", "img/b", "poster")
    return read_post(FULL_POST, {f"{name}.png": png(40, 30) for name in names})


def test_front_matter_fields_are_read(full_issue: Issue) -> None:
    assert full_issue.name == "2026-11-22-first-boat"
    assert full_issue.slug == "first-boat"
    assert full_issue.subject == "-nl0t-, the first boat is in"
    assert full_issue.preheader == "And so is the fog."
    assert (full_issue.number, full_issue.draft, full_issue.template) == (12, True, "plain")
    assert full_issue.sender_name == "Ada at Harbour Notes"
    assert full_issue.reply_to == "ada@harbournotes.example"
    assert full_issue.hero == FrontMatterImage("hero.png", "A boat", "At the quay.")
    assert full_issue.author == Author(
        "Ada Berg", "Mends nets.", "https://ada.example", FrontMatterImage("ada.png")
    )
    assert full_issue.button == CallToAction("Change what you get", "-nlpreferencesu-")
    assert full_issue.further == (
        FurtherReadingCard(
            "Knots", "https://harbournotes.example/knots", "Three", FrontMatterImage("knots.png")
        ),
    )
    assert full_issue.front_matter_lines["subject"] == 3


def test_post_fields_and_images_are_read(full_issue: Issue) -> None:
    post = full_issue.post
    assert (post.title, post.author, post.language) == ("The first boat", "Ada Berg", "en-GB")
    assert post.date == datetime.date(2026, 11, 22)
    assert post.canonical_url == "https://harbournotes.example/first"
    assert post.tags == ("boats", "fog")
    assert set(post.images) == {
        *("ada.png", "hero.png", "knots.png", "poster.png", "poster.png.play.png"),
        *("my%20boat.png", "img/b.png?v=2"),
    }
    assert post.images["my%20boat.png"].name == "my boat.png"
    image = post.images["img/b.png?v=2"]
    assert image == LocalImage("img/b.png", 40, 30, image.byte_size)
    assert image.byte_size > 50


def test_twin_for_dark_mode_is_found(
    make_issue: MakeIssue, config: Config, png: Callable[[int, int], bytes]
) -> None:
    files = {"img/a b.png": png(9, 8), "img/a b.dark.png": png(9, 7), "c.png": png(9, 8)}
    folder = make_issue("---\ntitle: T\nhero: c.png\n---\n![](img/a%20b.png)", files)
    images = read_issue(folder, config).post.images
    assert set(images) == {"img/a%20b.png", "img/a b.dark.png", "c.png"}
    assert images["img/a%20b.png"].dark_name == "img/a b.dark.png"
    assert (images["img/a b.dark.png"].height, images["c.png"].dark_name) == (7, "")
    # A twin is read by the rules for images.
    (folder / "img/a b.dark.png").write_bytes(bytes(config.limits.image_bytes + 1))
    (folder / "c.dark.png").symlink_to("/etc/hostname")
    with pytest.raises(PostError) as caught:
        read_issue(folder, config)
    assert [problem.message for problem in caught.value.problems] == [
        "the image 'c.dark.png' is outside the issue's folder",
        "the image 'img/a b.dark.png' has 10,000,001 bytes; the limit is 10,000,000",
    ]


@pytest.mark.parametrize("body", ["![a](c.png) ![b](c.dark.png)", "![b](c.dark.png) ![a](c.png)"])
def test_dark_twin_that_is_shown_itself_has_its_own_twin(
    read_post: ReadPost, png: Callable[[int, int], bytes], body: str
) -> None:
    files = {name: png(5, 5) for name in ("c.png", "c.dark.png", "c.dark.dark.png")}
    images = read_post(f"---\ntitle: T\n---\n{body}\n", files).post.images
    assert images["c.dark.png"].dark_name == "c.dark.dark.png"


def test_body_is_sanitized_html_with_tokens(full_issue: Issue) -> None:
    root = lxml.html.fragment_fromstring(full_issue.post.body, create_parent="div")
    assert [element.tag for element in root] == [
        *("p", "p", "div", "table", "pre", "dl", "p", "p", "hr", "section")
    ]
    assert root[0].text == "Good morning -nl0h- in -nl1h-,"
    assert "“this”" in root[1].text_content()
    assert "\u2611 rope" in root[2].text_content()
    assert root[4].text_content() == "{{ subscriber.secret }}\n\n{{ anything | goes }}\n"
    assert [code.text for code in root[5].iter("code")] == ["{{ code }}", "{{ more }}"]
    assert root[7][0].get("href") == "-nlunsubscribeh-"
    assert "script" not in full_issue.post.body


def test_merge_tags_in_code_are_not_compiled(full_issue: Issue) -> None:
    assert [(tag.key, tag.attribute, tag.default) for tag in full_issue.merge_tags] == [
        ("0", "name", "friend"),
        ("1", "city", "town"),
    ]


def test_html_metadata_is_used_for_settings_missing_in_front_matter(read_post: ReadPost) -> None:
    issue = read_post(
        '---\nsubject: New\n---\n<!doctype html><html lang="de"><head>'
        '<meta name="author" content="Bo"><meta name="description" content="Soon">'
        "</head><body><nav>x</nav><article><h1>Boot</h1><p>Hallo "
        "{{ subscriber.name | default(&quot;du&quot;) }}</p><pre>{{ x &lt; y }}</pre></article>",
        name="post.html",
    )
    assert (issue.post.title, issue.subject, issue.preheader) == ("Boot", "New", "Soon")
    assert (issue.post.author, issue.post.language) == ("Bo", "de")
    assert issue.post.body.split("\n")[0] == "<p>Hallo -nl0h-</p><pre>{{ x &lt; y }}</pre>"
    assert issue.merge_tags[0].default == "du"


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("# A *b* `c`\n\nText", "A b c", "<p>Text</p>"),
        ("<!-- note -->\n\n# A\n\nText", "A", "<p>Text</p>"),
        (
            "---\ntitle: A\n---\nText\n\n## A\n\nMore",
            "A",
            "<p>Text</p>\n<h2>A</h2>\n<p>More</p>",
        ),
        (
            "---\ntitle: A\n---\n3 October 2026\n\n# A\n\nText",
            "A",
            "<p>3 October 2026</p>\n<p>Text</p>",
        ),
        ("## A\n\nText\n\n## B", "A", "<p>Text</p>\n<h2>B</h2>"),
        ("---\ntitle: A\n---\n## a\n\nText", "A", "<p>Text</p>"),
        ("---\ntitle: A\n---\n# B\n\nText", "A", "<h1>B</h1>\n<p>Text</p>"),
        ("---\ntitle: 1984\n---\nText", "1984", "<p>Text</p>"),
        ("# Hi {{ subscriber.name }}\n\nText", "Hi -nl0t-", "<p>Text</p>"),
        (
            '---\ntitle: "Hi {{ subscriber.name }}"\n---\n# Hi {{ subscriber.name }}\n\nText',
            "Hi -nl0t-",
            "<p>Text</p>",
        ),
    ],
)
def test_title_comes_from_front_matter_or_first_heading(
    read_post: ReadPost, text: str, title: str, body: str
) -> None:
    issue = read_post(text)
    assert (issue.post.title, issue.subject) == (title, title)
    assert issue.post.body.strip() == body


def test_unset_settings_have_defaults(read_post: ReadPost) -> None:
    issue = read_post(
        "---\ntitle: A\nauthor: Ada\nsummary: In short.\ntags: a, b\ndate:\n---\nText"
    )
    assert issue.preheader == "In short."
    assert (issue.author, issue.post.author) == (None, "Ada")
    assert issue.post.tags == ("a", "b")
    assert (issue.post.date, issue.number, issue.draft) == (None, None, False)
    assert issue.post.language == "en"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("---\ntitle: A\n---\n", None, "the post is empty"),
        ("# A\n\n<!-- only a comment -->", None, "the post is empty"),
        ("Text\n\n## Later heading", 1, "has no title"),
        ("Text\n\n# Later heading", 1, "has no title"),
        ("", 1, "has no title"),
        ("---\ntitle: ''\n---\nText", 1, "has no title"),
        ("---\ntitle: A\nbreak\n---\nText", 4, "not valid YAML"),
        ("# A\n\n-nl0h- is a token", 3, "'-nl0h-' is reserved for merge tags"),
        ("# A\n\n" + "<div>" * 5_000, None, "nests more than 100"),
        ("# A\n\n" + ">" * 5_000 + " x", None, "nests more than 100"),
    ],
)
def test_invalid_posts_are_rejected(
    read_post: ReadPost, text: str, line: int | None, message: str
) -> None:
    with pytest.raises(PostError) as caught:
        read_post(text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.where is not None
    assert problem.where.path == "issues/2026-11-22-first-boat/post.md"
    assert line is None or problem.where.line == line
    assert problem.remedy


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("preheder: x", "unknown key 'preheder'. Did you mean 'preheader'?"),
        ("Titlee: x", "unknown key 'Titlee'. Did you mean 'title'?"),
        ('subject: "a\\nb"', "subject must be one line"),
        ('subject: "a\\x85b"', "subject must be one line"),
        ("title: [a]", "title must be text"),
        ("title: yes\nsubject: true", "subject must be text"),
        ("number: twelve", "number must be a whole number"),
        ("number: -1", "number must be greater than or equal to 0"),
        ("draft: maybe", "draft must be true or false"),
        ("date: tomorrow", "date must be a date like 2026-11-22, not 'tomorrow'"),
        ("language: Norwegian!", "language"),
        ("canonical_url: javascript:alert(1)", "canonical_url must be a URL"),
        ("reply_to: 'a@b.example, c@d.example'", "reply_to must be one email address"),
        ("template: ../x", "template"),
        ("author: {bio: x}", "'author.name' is missing"),
        ("author: {name: x, web: y}", "unknown key 'author.web'"),
        ("button: Read on", "button must be a section"),
        ("button: {text: x, url: 'ftp://x'}", "button.url must be a URL"),
        ("further: {a: b}", "further must be a list"),
        ("further: [{title: x, url: y}]", "further[1].url must be a URL"),
        ("hero: 'data:image/png;base64,AA'", "hero.src must be a file beside the post"),
        ("hero: 'https://[b'", "hero.src must be a file beside the post"),
        ("hero: {alt: x}", "'hero.src' is missing"),
        ("canonical_url: 'http://[x'", "canonical_url must be a URL"),
        ("canonical_url: 'https://a.example/{{x}}'", "canonical_url must be a URL"),
        ("sender_name: '{{ subscriber.name }}'", "sender_name is the same for every reader"),
    ],
)
def test_invalid_settings_are_rejected(read_post: ReadPost, setting: str, message: str) -> None:
    with pytest.raises(PostError) as caught:
        read_post(f"---\nlayout: post\n{setting}\n---\n# A\n\nText")
    problem = caught.value.problems[-1]
    assert message in str(problem)
    assert problem.where == Location(
        "issues/2026-11-22-first-boat/post.md", 3 + setting.count("\n")
    )


def test_all_invalid_settings_are_reported_at_once(read_post: ReadPost) -> None:
    with pytest.raises(PostError) as caught:
        read_post("---\ntilte: A\nnumber: x\ndate: y\n---\nText")
    assert [problem.where.line for problem in caught.value.problems if problem.where] == [2, 3, 4]


def test_keys_may_be_in_any_case(read_post: ReadPost, png: Png) -> None:
    button = "{text: On, url: https://a.example}"
    text = f"---\nTITLE: A\nAuthor: Ada\nHero: boat.png\nButton: {button}\n---\nB"
    issue = read_post(text, {"boat.png": png(9, 9)})
    assert (issue.author, issue.post.author) == (None, "Ada")
    assert issue.front_matter_lines == {"title": 2, "author": 3, "hero": 4, "button": 5}
    with pytest.raises(PostError) as caught:
        read_post("---\nTITLE: A\nAuthor: {name: Ada, picture: none.png}\n---\nB")
    (problem,) = caught.value.problems
    assert problem.where
    assert problem.where.line == 3


def test_keys_of_other_tools_are_ignored(read_post: ReadPost) -> None:
    text = (
        "---\ntitle: A\nlayout: post\nslug: x\ncategories: [y]\nauthors: [z]\ntag: w\nlastmod: 1\n"
    )
    assert read_post(f"{text}weight: 3\ntoc: true\nimage: x.png\n---\nText").post.title == "A"


def test_extra_is_free_content(read_post: ReadPost) -> None:
    extra = "extra:\n  preheadr: '{{ x }}'\n  date: soon\n  hero: gone.png\n"
    assert read_post(f"---\ntitle: A\n{extra}---\nText").post.title == "A"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{{ name }}", "Did you mean {{ subscriber.name }}?"),
        ("{{ subscribers.name }}", "Did you mean {{ subscriber.name }}?"),
        ("{{ unsubscribe }}", "Did you mean {{ unsubscribe_url }}?"),
        ("{{ subscriber.name | upper }}", "only default(…) is allowed after |, not 'upper'"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }} is not a merge tag. Use {{"),
        ("{{< youtube x >}}", "is not a merge tag"),
        ("{{ subscriber.city }}", "has no default for readers without 'city'"),
        ("{{ subscriber.name", "{{ is never closed"),
        ("{{\n\n}}", "{{ is never closed"),
    ],
)
def test_invalid_merge_tags_are_rejected(
    read_post: ReadPost, expression: str, message: str
) -> None:
    with pytest.raises(PostError) as caught:
        read_post(f"---\ntitle: A\n---\n\nText\nand {expression} more")
    problem = caught.value.problems[0]
    assert message in str(problem)
    assert problem.where is not None
    assert problem.where.line == 6


@pytest.mark.parametrize("name", ["a" * 300 + ".png", "a/" * 3_000 + "a.png"])
def test_image_with_a_name_that_is_too_long_is_missing(read_post: ReadPost, name: str) -> None:
    with pytest.raises(PostError, match="is missing"):
        read_post(f"# Boats\n\n![A boat]({name})\n")


def test_line_of_an_image_whose_name_ends_another_path(read_post: ReadPost) -> None:
    with pytest.raises(PostError) as caught:
        read_post("# A\n\nax.png b/x.png c-x.png x.png.\n![](y.png)\n![](d/x.png)\n![](z.png)")
    lines = [problem.where.line for problem in caught.value.problems if problem.where]
    assert lines == [4, 5, 6]
    with pytest.raises(PostError) as caught:
        read_post("# A\n\nax.png b/x.png c-x.png\n\n![](x.png)")
    assert [problem.where.line for problem in caught.value.problems if problem.where] == [5]


def test_invalid_merge_tags_and_missing_images_are_reported_at_once(read_post: ReadPost) -> None:
    with pytest.raises(PostError) as caught:
        read_post(
            '---\ntitle: "{{ a }}"\nhero: gone.png\n---\n{{ b }} ![](x.png)\n\n'
            '<img src="x.png"> ![](<y z.png>)\n<img src="https://a.example/{{ c }}">'
        )
    reported = {
        (problem.where.line, problem.message) for problem in caught.value.problems if problem.where
    }
    assert reported == {
        (2, "{{ a }} is not a merge tag"),
        (5, "{{ b }} is not a merge tag"),
        (8, "{{ c }} is not a merge tag"),
        (3, "the image 'gone.png' is missing"),
        (5, "the image 'x.png' is missing"),
        (7, "the image 'y z.png' is missing"),
    }


@pytest.mark.parametrize("quotes", ['""', "''", "“”", "„“", "‘’"])
def test_default_may_be_in_any_quotes(read_post: ReadPost, quotes: str) -> None:
    opening, closing = quotes[0], quotes[1]
    issue = read_post(f"# A\n\n{{{{subscriber.city|default( {opening}old town{closing} )}}}}")
    assert (issue.merge_tags[0].default, issue.post.body.strip()) == ("old town", "<p>-nl0h-</p>")


def test_merge_tag_works_wherever_markdown_allows_text(read_post: ReadPost) -> None:
    tag = "{{ subscriber.name }}"
    issue = read_post(
        f'# A\n\n**{tag}**, _{tag}_\'s [{tag}](https://a.example/{tag}?n={tag} "{tag}")\n\n'
        f"| {tag} |\n|--|\n| {tag} |\n\n<https://{tag}.example>"
    )
    body = issue.post.body
    assert "<strong>-nl0h-</strong>, <em>-nl0h-</em>’s " in body
    assert '<a href="https://a.example/-nl0h-?n=-nl0h-" title="-nl0h-">-nl0h-</a>' in body
    assert '<a href="https://-nl0h-.example">https://-nl0h-.example</a>' in body
    assert "<th>-nl0h-</th>" in body
    assert len(issue.merge_tags) == 1


def test_post_may_contain_text_like_the_markers(read_post: ReadPost) -> None:
    issue = read_post("# A\n\nmergetag0z Mergetagx0z {{ subscriber.name }}")
    assert issue.post.body.strip() == "<p>mergetag0z Mergetagx0z -nl0h-</p>"


@pytest.mark.parametrize("path", ["../secret.png", "img/../../secret.png", "%2e%2e/secret.png"])
def test_image_outside_the_folder_is_rejected(
    read_post: ReadPost, tmp_path: Path, png: Png, path: str
) -> None:
    (tmp_path / "issues").mkdir()
    (tmp_path / "issues" / "secret.png").write_bytes(png(1, 1))
    with pytest.raises(
        PostError, match=r"post\.md:3: the image '.*' is outside the issue's folder"
    ):
        read_post(f"# A\n\n![a]({path})", {"img/a.png": b""})


def test_symbolic_link_to_an_image_outside_the_folder_is_rejected(
    make_issue: MakeIssue, config: Config, tmp_path: Path, png: Png
) -> None:
    (tmp_path / "secret.png").write_bytes(png(1, 1))
    folder = make_issue("# A\n\n![a](link.png)")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(PostError, match="outside"):
        read_issue(folder, config)


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("gone.png"), make_link_to_itself],
    ids=["folder", "fifo", "broken link", "link to itself"],
)
def test_image_that_is_no_file_is_missing(
    make_issue: MakeIssue, config: Config, make: Callable[[Path], None]
) -> None:
    folder = make_issue("# A\n\n![a](x.png)")
    make(folder / "x.png")
    with pytest.raises(PostError, match=r"post\.md:3: the image 'x\.png' is missing"):
        read_issue(folder, config)


def test_image_that_cannot_be_read_is_told_with_its_line(
    read_post: ReadPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("imagesize.get", fail)  # root may read every file
    message = r"post\.md:3: the image 'x\.png' can't be read: permission denied"
    with pytest.raises(PostError, match=message):
        read_post("# A\n\n![a](x.png)", {"x.png": b"x"})


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/b.png",
        "//a.example/b.png",
        "/b.png",
        "//b.example/c.png",
        "{{ preferences_url }}",
    ],
)
def test_remote_images_are_not_read(read_post: ReadPost, url: str) -> None:
    assert read_post(f"# A\n\n![a]({url})").post.images == {}


@pytest.mark.parametrize(
    ("reference", "local"),
    [
        ("a.png", True),
        ("img/a%20b.png?v=1", True),
        ("", False),
        ("#a", False),
        ("/a.png", False),
        ("//[a", False),
        ("cid:a", False),
        ("-nl0u-", False),
    ],
)
def test_local_images_are_relative_paths(reference: str, *, local: bool) -> None:
    assert is_local_image(reference) == local


def test_image_of_unknown_size_has_size_zero(read_post: ReadPost) -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    issue = read_post("# A\n\n![a](a.svg)", {"a.svg": drawing})
    assert issue.post.images["a.svg"] == LocalImage("a.svg", 0, 0, len(drawing))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(post_bytes=1_000), "post.md: the post has 2,022 bytes; the limit is 1,000"),
        (
            Limits(image_bytes=1_000),
            "post.md:3: the image 'a.png' has 1,001 bytes; the limit is 1,000",
        ),
    ],
)
def test_files_over_the_size_limits_are_rejected(
    make_issue: MakeIssue, config: Config, limits: Limits, message: str
) -> None:
    folder = make_issue("# A\n\n![a](a.png)\n\n".ljust(2_022, "b"), {"a.png": bytes(1_001)})
    with pytest.raises(PostError) as caught:
        read_issue(folder, config.model_copy(update={"limits": limits}))
    assert message in str(caught.value)


def test_folder_must_have_exactly_one_post(
    make_issue: MakeIssue, config: Config, tmp_path: Path
) -> None:
    with pytest.raises(PostError, match=r"neither post\.md nor post\.html.*newsletter import"):
        read_issue(tmp_path, config)
    folder = make_issue("# A\n\nText", {"post.html": b"<p>x</p>"})
    with pytest.raises(PostError, match=r"both post\.md and post\.html"):
        read_issue(folder, config)


def test_binary_post_is_rejected(read_post: ReadPost) -> None:
    with pytest.raises(PostError, match=r"post\.md: this is an image, not text"):
        read_post(b"\x89PNG\r\n\x1a\n")


def test_reading_an_issue_is_deterministic(make_issue: MakeIssue, config: Config) -> None:
    folder = make_issue("# A\n\n- [x] b[^1] {{ subscriber.name }}\n\n[^1]: c")
    assert read_issue(folder, config) == read_issue(folder, config)


def test_removed_text_is_listed_with_its_line_in_the_file(read_post: ReadPost) -> None:
    text = "---\ntitle: Boats\n---\n\nBoats.\n\n<p hidden>Not {{ this }}</p>\n\n<form>Name</form>\n"
    removed = read_post(text).post.removed
    assert [tuple(entry) for entry in removed] == [
        (7, "Not {{ this }}", "hidden text"),
        (9, "Name", "form"),
    ]


@pytest.mark.parametrize("path", ["/media/boats", "media/boats", "../media/boats?w=3"])
def test_picture_without_a_file_ending_is_a_url(read_post: ReadPost, path: str) -> None:
    assert read_post(f"# Boats\n\n![A boat]({path})\n").post.images == {}
