"""Posts as other tools write them: imported, built and checked, with nothing lost or invented."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

Cli = Callable[..., tuple[int, str, str]]
Inbox = Callable[..., Path]


class ForeignPost(NamedTuple):
    """A post of another tool.

    Attributes:
        name: its file's name.
        source: its text.
        text: what the text part must have, in this order.
        html: what the HTML must have.
        absent: what neither part may have.
    """

    name: str
    source: str
    text: tuple[str, ...]
    html: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def page(body: str) -> str:
    return (
        '<html lang="en"><head><title>Nets</title></head><body><article><h1>Nets</h1>'
        "<p>All week we mended the nets in the shed, and told old stories.</p>"
        f"{body}</article></body></html>"
    )


POSTS = (
    ForeignPost(
        "2026-10-03-terns.md",
        "---\nlayout: post\ntitle: Terns\ndate: 2026-10-03 22:15:00 -0700\n---\nTwo on a rock.\n",
        ("Two on a rock.",),
    ),
    ForeignPost(
        "colon.md",
        "---\ntitle: Part two: the fog\n---\nThick as milk.\n",
        ("Part two: the fog", "Thick as milk."),
    ),
    ForeignPost(
        "quay.md",
        "---\ntitle: The quay\n---\nWe met there.\n\n![The quay](/img/quay.jpg)\n\n"
        "[Pictures](/album/) and [the next one](next.html).\n",
        ("[The quay]", "https://notes.example/album/", "https://notes.example/next.html"),
        ('src="https://notes.example/img/quay.jpg"',),
        ("mail.notes.example/img", "mail.notes.example/album"),
    ),
    ForeignPost(
        "liquid.md",
        "---\ntitle: Wind\n---\nIt begins.\n\n{% note %}No race today.{% endnote %}\n\n"
        '{% include chart.html id="7" %}\n\nIt ends.\n',
        ("It begins.", "No race today.", "It ends."),
        absent=("{%", "chart.html"),
    ),
    ForeignPost(
        "film.md",
        '---\ntitle: Film\n---\nBefore it.\n\n<video src="https://notes.example/a.mp4" controls />'
        "\n\nAfter it.\n\n## A heading\n\n- an item\n",
        ("Before it.", "https://notes.example/a.mp4", "After it.", "A heading", "- an item"),
    ),
    ForeignPost(
        "lazy.html",
        page(
            '<p><img src="/blank.gif" data-lazy-src="https://pics.example/noon.jpg" alt="Noon">'
            '</p><p><img data-srcset="https://pics.example/n-400.jpg 400w, '
            'https://pics.example/n-900.jpg 900w" alt="Night"></p>'
            '<iframe data-src="https://www.youtube.com/embed/NeTsNeTsNeT" src="about:blank">'
            "</iframe><p>So it was.</p>"
        ),
        ("[Noon]", "[Night]", "https://www.youtube.com/watch?v=NeTsNeTsNeT", "So it was."),
        ('src="https://pics.example/noon.jpg"', 'src="https://pics.example/n-900.jpg"'),
        ("blank.gif", "about:blank"),
    ),
    ForeignPost(
        "no-title.md",
        "We left at five.\n\nIt was cold.\n\n## Plan\n\n- Five: out\n\n## Thanks\n\nTo Bo.\n",
        ("No title", "We left at five.", "Plan", "- Five: out", "Thanks"),
    ),
    ForeignPost(
        "album.md",
        '---\ntitle: Album\n---\nA morning.\n\n[caption id="a_1" width="600"]'
        '<img src="https://pics.example/tern.jpg" alt="A tern" /> A tern with a fish[/caption]\n\n'
        "[embed]https://www.youtube.com/watch?v=AlBuMaLbUmA[/embed]\n\n"
        '[contact-form-7 id="4" title="Write"]\n',
        ("[A tern]", "A tern with a fish", "https://www.youtube.com/watch?v=AlBuMaLbUmA"),
        absent=("[caption", "[/caption]", "[embed]", "contact-form"),
    ),
    ForeignPost(
        "fog.md",
        '+++\ntitle = "Fog"\n+++\nFirst.\n\n{{< figure src="/a.jpg" alt="Fog" caption="Thick fog" '
        ">}}\n\n{{< vimeo 123456 >}}\n\n{{% notice warning %}}\nStay ashore.\n{{% /notice %}}\n",
        ("[Fog]", "Thick fog", "https://vimeo.com/123456", "WARNING: Stay ashore."),
        absent=("{{", "}}"),
    ),
    ForeignPost(
        "anchors.md",
        "---\ntitle: Anchors\n---\n* TOC\n{:toc}\n\nSee [the end](#end).\n\n## The end {#end}\n\n"
        "Here it is.\n{: .lead }\n",
        ("See the end.", "The end", "Here it is."),
        ('href="#end"', 'id="end"'),
        ("TOC", "{:", "{#"),
    ),
    ForeignPost(
        "math.html",
        page(
            "<p>Half is <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math> of it.</p>"
            '<p>So <span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>v</mi>'
            '</mrow><annotation encoding="application/x-tex">v=s/t</annotation></semantics></math>'
            '</span><span class="katex-html" aria-hidden="true"><span>v</span><span>=</span>'
            "</span></span> it is.</p>"
        ),
        ("Half is 1/2 of it.", "So v=s/t it is."),
        absent=("12 of", "v=s/tv"),
    ),
    ForeignPost(
        "unseen.html",
        page(
            '<p style="display: none">Nobody sees this.</p><p hidden>Nor this.</p>'
            '<p>Look <a href="https://notes.example/x">here<span class="sr-only"> (new tab)</span>'
            "</a>.</p>"
        ),
        ("Look here",),
        absent=("Nobody", "Nor this", "new tab"),
    ),
    ForeignPost(
        "entities.md",
        '---\ntitle: "Bo &amp; Ada&#8217;s boat"\n---\nAbout **the boat**.[^1]\n\n[^1]: A note.\n',
        ("Bo & Ada\u2019s boat", "About ", "the boat", "A note."),
        absent=("&amp;amp;", "[^1]", "&#8217;"),
    ),
    ForeignPost(
        "banner.html",
        page('<div style="background: #1d4e89; color: white">White on blue</div>'),
        ("White on blue",),
        ("background-color:#1d4e89",),
    ),
    ForeignPost(
        "songs.html",
        page(
            '<script src="https://gist.github.com/bo/0a1b2c3d4e5f.js"></script>'
            '<lite-youtube videoid="SoNgSoNgSoN" playlabel="Play: Rain"></lite-youtube>'
            '<p><img class="emoji" src="https://s.w.org/1f426.png" alt="🐦"> sings.</p>'
        ),
        (
            "https://gist.github.com/bo/0a1b2c3d4e5f",
            "Rain: https://www.youtube.com/watch?v=SoNg",
            "🐦 sings.",
        ),
        absent=("s.w.org",),
    ),
    ForeignPost(
        "chart.mdx",
        '---\ntitle: Chart\n---\nimport Chart from "../chart"\nexport const a = { b: 3 }\n\n'
        "High waves.\n\n<Callout>\n  - an item with a [link](https://notes.example/x)\n</Callout>\n",
        ("High waves.", "- an item with a link", "https://notes.example/x"),
        absent=("import Chart", "export const", "<Callout", "Callout>"),
    ),
    ForeignPost(
        "hebrew.md",
        "---\ntitle: בים\nlanguage: he\n---\nאתמל `git push` בים.\n",
        ("git push",),
        ('dir="rtl"', 'dir="ltr"'),
    ),
    ForeignPost(
        "service.md",
        "---\ntitle: Service\n---\nA picture without an ending.\n\n![A boat](/media/boats/one)\n",
        ("[A boat]",),
        ('src="https://notes.example/media/boats/one"',),
    ),
)


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.name)
def test_nothing_is_lost_and_nothing_invented(
    project_folder: Path, inbox: Inbox, cli: Cli, post: ForeignPost
) -> None:
    settings = project_folder / "newsletter.yml"
    kept = [
        line
        for line in settings.read_text().splitlines()
        if not line.startswith(("site_url", "public_url"))
    ]
    urls = ("site_url: https://notes.example", "public_url: https://mail.notes.example", "")
    settings.write_text("\n".join((*kept, *urls)))
    code, out, err = cli("import", inbox(post.name, post.source), "--json")
    assert (code, err) == (0, "")
    imported = json.loads(out)
    assert imported["lost"] == imported["problems"] == []
    built = json.loads(cli("build", imported["issue"], "--json")[1])
    assert built["lost"] == []
    parts = {name: Path(built["files"][name]).read_text() for name in ("html", "txt")}
    place = 0
    for words in post.text:
        place = parts["txt"].find(words, place)
        assert place >= 0, (words, parts["txt"])
    assert [words for words in post.html if words not in parts["html"]] == []
    assert [words for words in post.absent for part in parts.values() if words in part] == []
    (checked,) = json.loads(cli("check", imported["issue"], "--format", "json")[1])["issues"]
    assert checked["error"] == 0
