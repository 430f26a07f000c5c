import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.importing.settings.translate import (
    TranslatedFrontMatter,
    translate_front_matter,
)

PACIFIC = datetime.timezone(datetime.timedelta(hours=-8))


def translate(block: str, fence: str = "---", **options: Any) -> TranslatedFrontMatter:
    text = block if block.startswith("{") else f"{fence}\n{block}\n{fence}\n"
    front_matter = split_front_matter(text, "post.md", allow_repeated=True)
    return translate_front_matter(front_matter, **{"language": "en", **options})


@pytest.mark.parametrize(
    ("block", "settings"),
    [
        # authors
        ("author: [Kari Moe, Per Dahl]", {"author": "Kari Moe and Per Dahl"}),
        ("author: [A, B, C]\nlang: de", {"author": "A, B und C", "language": "de"}),
        ("author: [A, B]\nlang: ja", {"author": "A, B", "language": "ja"}),
        ("authors: [Kari Moe]", {"author": "Kari Moe"}),
        ("authors: Kari Moe", {"author": "Kari Moe"}),
        ("authors: [{name: A}, {display_name: B}]", {"author": "A and B"}),
        (
            "author: {name: Kari, email: k@y.example}",
            {"author": "Kari", "extra": {"author": {"name": "Kari", "email": "k@y.example"}}},
        ),
        (
            "author: Kari Moe <k@y.example>",
            {"author": "Kari Moe", "extra": {"author": "Kari Moe <k@y.example>"}},
        ),
        (
            "author: {name: Kari, bio: Mends nets., website: https://k.example}",
            {"author": {"name": "Kari", "bio": "Mends nets.", "url": "https://k.example"}},
        ),
        ("author: {name: Kari, bio: Nets}", {"author": {"name": "Kari", "bio": "Nets"}}),
        ("author: 7", {"extra": {"author": 7}}),
        ("author: [{name: A, bio: B}]", {"author": {"name": "A", "bio": "B"}}),
        (
            "author: '\"A\" <a@b.example>'",
            {"author": "A", "extra": {"author": '"A" <a@b.example>'}},
        ),
        ("author: {description: A, title: B}", {"author": {"name": "B", "bio": "A"}}),
        ("author: {name: A, link: https://b.example}", {
            "author": {"name": "A", "url": "https://b.example"},
        }),
        ("author: [A, B]\nlang: nn-NO", {"author": "A og B", "language": "nn-NO"}),
        ("author: Kari\nauthors: [Per]", {"author": "Kari", "extra": {"authors": ["Per"]}}),
        (
            "author: '[Kari Moe](https://k.example/)'",
            {"author": {"name": "Kari Moe", "url": "https://k.example/"}},
        ),
        (
            "author: '[Kari Moe](https://k.example/ \"Nets\")'",
            {"author": {"name": "Kari Moe", "url": "https://k.example/"}},
        ),
        (
            "author: '[Kari](/kari)'",
            {"author": "Kari", "extra": {"author": "[Kari](/kari)"}},
        ),
        (
            "author: '[A](https://a.example) and [B](https://b.example)'",
            {
                "author": "A and B",
                "extra": {"author": "[A](https://a.example) and [B](https://b.example)"},
            },
        ),
        (
            "authors: ['[A](https://a.example)', B]",
            {"author": "A and B", "extra": {"authors": ["[A](https://a.example)", "B"]}},
        ),
        (
            "author: '<a href=\"https://a.example\">A</a>'",
            {"author": "A", "extra": {"author": '<a href="https://a.example">A</a>'}},
        ),
        ("author: '**Kari Moe**'", {"author": "Kari Moe"}),
        ("author: '*Kari*, with `per`'", {"author": "Kari, with per"}),
        ("authors: [{name: '_Kari_'}]", {"author": "Kari"}),
        ("author: kari_moe_x", {"author": "kari_moe_x"}),
        ("author: 'Kari [guest]'", {"author": "Kari [guest]"}),
        ("author: Kari * Per", {"author": "Kari * Per"}),
        # dates
        ("date: October 4, 2026", {"date": datetime.date(2026, 10, 4)}),
        ("date: 2026/10/03", {"date": datetime.date(2026, 10, 3)}),
        ("date: 2026-10-3", {"date": datetime.date(2026, 10, 3)}),
        (
            "date: 2026-10-03 23:30:00 -0800",
            {"date": datetime.datetime(2026, 10, 3, 23, 30, tzinfo=PACIFIC)},
        ),
        ("pubDate: 2026-10-01", {"date": datetime.date(2026, 10, 1)}),
        ("publishedAt: 2026-10-01", {"date": datetime.date(2026, 10, 1)}),
        ("published_at: 1790899200", {"date": datetime.datetime(2026, 10, 2, tzinfo=datetime.UTC)}),
        ("date_published: 2026-10-01", {"date": datetime.date(2026, 10, 1)}),
        ("publishDate: 2026-10-01", {"date": datetime.date(2026, 10, 1)}),
        ("published: 2026-10-01", {"date": datetime.date(2026, 10, 1)}),
        ("lastmod: 2026-10-01", {"date": datetime.date(2026, 10, 1)}),
        (
            "updated: 2026-10-05\ndate: 2026-10-01",
            {"date": datetime.date(2026, 10, 1), "extra": {"updated": datetime.date(2026, 10, 5)}},
        ),
        (
            "date: soon\npubDate: 2026-10-01",
            {"date": datetime.date(2026, 10, 1), "extra": {"date": "soon"}},
        ),
        ("date: ''", {"date": None}),
        # images
        ("image: https://x.example/a.png", {"hero": "https://x.example/a.png"}),
        ("thumbnail: //x.example/a.png", {"hero": "https://x.example/a.png"}),
        ("featured_image: /img/a.png", {"hero": "/img/a.png"}),
        ("coverImage: {url: a.png}", {"hero": "a.png"}),
        (
            "heroImage: {src: a.png, alt: Boats, caption: In port}",
            {"hero": {"src": "a.png", "alt": "Boats", "caption": "In port"}},
        ),
        (
            "feature_image: a.png\nfeature_image_alt: Boats\nfeature_image_caption: In port",
            {"hero": {"src": "a.png", "alt": "Boats", "caption": "In port"}},
        ),
        (
            "cover: {image: a.png, alt: Boats, relative: true}",
            {
                "hero": {"src": "a.png", "alt": "Boats"},
                "extra": {"cover": {"image": "a.png", "alt": "Boats", "relative": True}},
            },
        ),
        ("images: [a.png]", {"hero": "a.png"}),
        ("image: {url: b.png, src: a.png}", {
            "hero": "a.png", "extra": {"image": {"url": "b.png", "src": "a.png"}},
        }),
        ("image: '{% asset a.png %}'", {"extra": {"image": "{% asset a.png %}"}}),
        ("image: ' '\nimage_alt: A", {"extra": {"image": " ", "image_alt": "A"}}),
        ("image: a.png\nimage_alt_text: A", {"hero": {"src": "a.png", "alt": "A"}}),
        ("header: {teaser: a.png, alt: A}", {"hero": {"src": "a.png", "alt": "A"}}),
        ("header: {image: a.png, mood: wet}", {
            "hero": "a.png", "extra": {"header": {"image": "a.png", "mood": "wet"}},
        }),
        ("images: [a.png, b.png]", {"hero": "a.png", "extra": {"images": ["a.png", "b.png"]}}),
        ("image: false", {"extra": {"image": False}}),
        ("image: '{{ site.url }}/a.png'", {"extra": {"image": "{{ site.url }}/a.png"}}),
        (
            "image: gone.png\nthumbnail: a.png",
            {"hero": "a.png", "extra": {"image": "gone.png"}},
        ),
        ("hero: gone.png", {"extra": {"hero": "gone.png"}}),
        # language, summary, URL
        ("lang: de", {"language": "de"}),
        ("locale: pt_BR", {"language": "pt-BR"}),
        ("language: Norwegian!", {"extra": {"language": "Norwegian!"}}),
        ("language: en_US.UTF-8", {"language": "en-US"}),
        ("languageCode: nn", {"language": "nn"}),
        ("subtitle: What it leaves", {"description": "What it leaves"}),
        ("seo_description: So\nog_description: No", {
            "description": "So", "extra": {"og_description": "No"},
        }),
        ("description: ''\ndek: So", {"description": "So"}),
        ("summary: ' '\ndek: So", {"description": "So", "summary": " "}),
        ("summary: In short\ndek: So", {"summary": "In short", "extra": {"dek": "So"}}),
        (
            "excerpt: '<p>In <b>short</b>.</p>'",
            {"excerpt": "In short.", "extra": {"excerpt": "<p>In <b>short</b>.</p>"}},
        ),
        ("excerpt: true", {"extra": {"excerpt": True}}),
        ("canonicalURL: https://x.example/p", {"canonical_url": "https://x.example/p"}),
        ("original_url: https://x.example/p", {"canonical_url": "https://x.example/p"}),
        ("canonical: /p", {"extra": {"canonical": "/p"}}),
        # tags
        ("tags: a, b", {"tags": "a, b"}),
        ("tags: [{name: Boats}]", {"tags": ["Boats"]}),
        ("tags: [2026, true]", {"tags": ["2026", "true"]}),
        ("tags: boat trips", {"tags": "boat trips"}),
        ("tags: boats wind\nlayout: x", {"tags": ["boats", "wind"], "extra": {"layout": "x"}}),
        ("categories: [a, [b, a]]", {"tags": ["a", "b"]}),
        ("keywords: a, b", {"tags": ["a", "b"]}),
        ("tags: [a]\ncategories: [b]", {"tags": ["a"], "extra": {"categories": ["b"]}}),
        ("tags: [a, '#internal']", {"tags": ["a", "#internal"]}),
        ("tags: [{name: a}, '#internal']", {
            "tags": ["a"], "extra": {"tags": [{"name": "a"}, "#internal"]},
        }),
        ("tags: boat trips, wind\nlayout: x", {
            "tags": "boat trips, wind", "extra": {"layout": "x"},
        }),
        ("tags: {a: 1}", {"extra": {"tags": {"a": 1}}}),
        # drafts, slugs
        ("published: false", {"draft": True}),
        ("published: true", {"extra": {"published": True}}),
        ("status: draft", {"draft": True}),
        ("published: 'no'", {"draft": True}),
        ("status: future", {"draft": True}),
        ("slug: 2026", {"slug": "2026"}),
        ("header: {lang: de}", {"language": "de"}),
        ("draft: pending", {"draft": True}),
        ("draft: soon", {"extra": {"draft": "soon"}}),
        ("draft: false\nstatus: draft", {"draft": False, "extra": {"status": "draft"}}),
        ("slug: low-tide", {"slug": "low-tide"}),
        ("slug: /a/b/", {"slug": "/a/b/"}),
        ("path: /low-tide#top", {"slug": "low-tide", "extra": {"path": "/low-tide#top"}}),
        ("path: /low-tide?a=/b", {"slug": "low-tide", "extra": {"path": "/low-tide?a=/b"}}),
        (
            "path: /low-tide/index.html",
            {"slug": "low-tide", "extra": {"path": "/low-tide/index.html"}},
        ),
        ("path: /index.html", {"extra": {"path": "/index.html"}}),
        (
            "permalink: /2026/%C3%A9t%C3%A9.html",
            {"slug": "été", "extra": {"permalink": "/2026/%C3%A9t%C3%A9.html"}},
        ),
        (
            "permalink: /2026/low-tide.html",
            {"slug": "low-tide", "extra": {"permalink": "/2026/low-tide.html"}},
        ),
        (
            "url: https://x.example/low-tide/",
            {"canonical_url": "https://x.example/low-tide/", "slug": "low-tide"},
        ),
        (
            "path: 2026/10/02/low-tide\nlastmod: 2026-10-05",
            {
                "date": datetime.date(2026, 10, 2),
                "slug": "low-tide",
                "extra": {"path": "2026/10/02/low-tide", "lastmod": datetime.date(2026, 10, 5)},
            },
        ),
        ("permalink: /:year/:title/", {"extra": {"permalink": "/:year/:title/"}}),
        ("permalink: false", {"extra": {"permalink": False}}),
        # text
        (
            'title: "Salt &amp; rope&#8217;s &Aring;se &amp;amp; R&D &copy=1"',
            {"title": "Salt & rope’s Åse &amp; R&D &copy=1"},
        ),
        ("description: A &amp; B\nauthor: C &amp; D", {"description": "A & B", "author": "C & D"}),
        ("title: |\n  Low\n  tide", {"title": "Low tide"}),
        ("title: [x]", {"extra": {"title": ["x"]}}),
        # the rest
        ("archived: true\npreheadr: x", {"extra": {"archived": True, "preheadr": "x"}}),
        ("archive: true\nnumber: twelve", {"extra": {"archive": True, "number": "twelve"}}),
        ("template: plain", {"template": "plain"}),
        ("template: post", {"extra": {"template": "post"}}),
        ("extra: {mood: wet}\nmood: dry", {"extra": {"mood": "wet", "mood_2": "dry"}}),
        ("extra: 5", {"extra": {"extra": 5}}),
        ("extra: {m: 1, m_2: 2}\nm: 3", {"extra": {"m": 1, "m_2": 2, "m_3": 3}}),
        ("extra: {lang: de, m: 1}", {"language": "de", "extra": {"m": 1}}),
        ("params: {lang: de}\nmood: {wet: 1}", {"language": "de", "extra": {"mood": {"wet": 1}}}),
        ("a: 1\na: 2\ndate: soon\ndate: 2026-10-01", {
            "date": datetime.date(2026, 10, 1), "extra": {"a": 2, "a_2": 1, "date": "soon"},
        }),
    ],
)  # fmt: skip
def test_known_meanings_are_taken_and_the_rest_is_kept(
    block: str, settings: dict[str, Any]
) -> None:
    translated = translate(
        block,
        template_names=["issue", "plain"],
        has_image=lambda reference: reference != "gone.png",
    )
    assert translated.front_matter.data == settings


def test_settings_in_tables_are_taken_from_them() -> None:
    zola = 'title = "A"\n[taxonomies]\ntags = ["a"]\n[extra]\nauthor = "Kari"\nmood = "wet"'
    assert translate(zola, "+++").front_matter.data == {
        "title": "A",
        "author": "Kari",
        "tags": ["a"],
        "extra": {"mood": "wet"},
    }
    hugo = '{"title": "A", "params": {"author": {"name": "Kari"}, "math": true}}\n'
    assert translate(hugo).front_matter.data == {
        "title": "A",
        "author": "Kari",
        "extra": {"params": {"math": True}},
    }


@pytest.mark.parametrize(
    ("block", "notes"),
    [
        ("title: A\ndate: 2026-10-01\ntags: [a]\nsummary: B", []),
        ("title: A &amp; B", []),
        ("authors: [A, B]", [("author", "A and B (from authors)")]),
        ("date: October 4, 2026", [("date", "2026-10-04 (from 'October 4, 2026')")]),
        ("draft: soon", [("draft", "'soon' can't be used; kept under extra:")]),
        ("draft: pending", [("draft", "true (from 'pending')")]),
        ("title: |\n  Low\n  tide", []),
        (
            "\n".join(f"k{number}: 1" for number in range(31)),
            [("extra", ", ".join(f"k{n}" for n in range(30)) + " and 1 more (kept, not used)")],
        ),
        ("? " + "k" * 61 + "\n: 1", [("extra", "k" * 59 + "… (kept, not used)")]),
        ("date: " + "x" * 60, [("date", f"'{'x' * 60}' can't be used; kept under extra:")]),
        ("date: " + "x" * 61, [("date", f"'{'x' * 59}…' can't be used; kept under extra:")]),
        ("date: {a: '', b: x}", [("date", "'x' can't be used; kept under extra:")]),
        ("date: {a: 1, b: 2}", [("date", "'2 settings' can't be used; kept under extra:")]),
        ("date: [x, y]", [("date", "'x, y' can't be used; kept under extra:")]),
        ("hero: {alt: x}", [("hero", "'x' can't be used; kept under extra:")]),
        (
            "params: {cover: gone.png}",
            [("params.cover", "'gone.png' isn't an image beside the post; kept under extra:")],
        ),
        ("image: false", [("extra", "image (kept, not used)")]),
        ("date: soon", [("date", "'soon' can't be used; kept under extra:")]),
        (
            "author: {name: A, email: a@b.example}",
            [("author", "A (from author); all of it is kept under extra:")],
        ),
        (
            "image: gone.png",
            [("image", "'gone.png' isn't an image beside the post; kept under extra:")],
        ),
        ("layout: post\nmood: wet", [("extra", "layout, mood (kept, not used)")]),
        ("published: false", [("draft", "true (from published)")]),
        (
            "permalink: /low-tide/",
            [("slug", "low-tide (from permalink); all of it is kept under extra:")],
        ),
        ("params: {lang: de}", [("language", "de (from params.lang)")]),
    ],
)
def test_what_was_taken_and_kept_is_noted(block: str, notes: list[tuple[str, str]]) -> None:
    translated = translate(block, has_image=lambda reference: reference != "gone.png")
    assert list(translated.notes) == notes


def test_our_own_settings_stay_as_they_are() -> None:
    block = (
        "title: A\nsubject: B\npreheader: C\nauthor: {name: D, picture: d.png}\nnumber: 3\n"
        "sender_name: E\nreply_to: f@g.example\nhero: {src: a.png, alt: H}\narchive: private\n"
        "button: {text: I, url: https://j.example}\nallow: {no-alt: k}\nextra: {l: 1}\ndraft: yes\n"
        "further: [{title: M, url: https://n.example}]"
    )
    translated = translate(block)
    assert translated.front_matter.data == split_front_matter(f"---\n{block}\n---\n", "").data
    assert translated.notes == ()


_KEYS = """
    title author authors date pubDate lastmod published image cover hero lang language summary
    excerpt subtitle canonicalURL permalink url slug tags categories draft status extra params
    header template number allow archive button further reply_to subject preheader mood
""".split()
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**13)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a b", "x&amp;y", "2026-10-02", "soon", "https://x.example/a.png", "/a"])
    | st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
        max_size=6,
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*_KEYS, "name", "src", "alt", "email"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6))
def test_any_front_matter_is_translated_and_every_other_key_kept(data: dict[str, Any]) -> None:
    front_matter = split_front_matter(json.dumps(data) + "\n", "post.md")
    translated = translate_front_matter(front_matter, language="en")
    settings = translated.front_matter.data
    if "mood" in data:
        assert data["mood"] in settings["extra"].values()
    # What is left of the settings is valid in an issue of ours.
    assert settings.keys() <= {*type(translated.fields).model_fields, "slug"}
