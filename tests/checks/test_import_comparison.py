"""What of a web page an import loses, and what it leaves out on purpose."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.checks.import_comparison import ImportComparison, compare_import
from newsletter.config.models import Config, SenderSettings
from newsletter.posts.html.sanitize import SanitizedHtml, sanitize_article
from newsletter.posts.importing import import_post
from newsletter.posts.importing.import_post import ImportOptions
from newsletter.posts.importing.sources import html as html_source
from newsletter.project import Project

LOST = "The ferry will not leave before Friday, says the captain."
PICTURE = "<img src='https://m.example/a.jpg' alt='Gulls'>"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
PAGE = f"""<!doctype html><html><head><title>Low tide</title></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop</a></nav><g:plusone size="tall"></g:plusone>
<main><article class="post"><h1>Low tide</h1>
<p>The boats have been tied up since Tuesday, and nobody can say when the wind will stop.</p>
<p>{LOST}</p>
<ul><li>Bring a <a href="https://harbour.example/lamp">lamp</a>.</li></ul>
</article></main>
<aside><h2>Related posts</h2><p>{LOST}</p><p class="ad"">Buy a boat & more</p></aside>
<footer><form><button>Subscribe</button></form> &copy 2026 Harbour</footer></body></html>"""


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ImportComparison]:
    """Return a function that imports a page and compares it with its issue."""
    monkeypatch.chdir(tmp_path)
    sender = SenderSettings(name="Harbour Notes", address="editor@harbournotes.example")
    config = Config(name="Harbour Notes", sender=sender, site_url="https://harbournotes.example")
    project = Project(tmp_path, config)

    def compare(page: str) -> ImportComparison:
        Path("page.html").write_text(page, encoding="utf-8")
        options = ImportOptions(today=datetime.date(2026, 11, 30), update=True)
        return compare_import(
            import_post.import_post(project, "page.html", options), "page.html", config
        )

    return compare


def test_surroundings_of_an_article_are_not_lost(
    compare: Callable[[str], ImportComparison],
) -> None:
    assert compare(PAGE).losses == ()


@pytest.mark.parametrize(
    "part",
    [
        "<aside>Share <a href='/a'>Mail</a><a href='/b'>Print</a></aside>",
        "<p>Share</p><form><button>Share</button></form><p class='sr-only'>Share</p>",
        "<p>Gulls</p><h3 class='sr-only'>Gulls at the old pier</h3><p>Gulls at the old pier</p>",
        f"<p>Gulls</p>{PICTURE}<noscript>{PICTURE}</noscript>",
        f"<p>Gulls</p><img src='{PIXEL}' alt=''><noscript>{PICTURE}</noscript>",
        f"<a href='/me'><img src='{PIXEL}' alt='Me'></a>",
        "<p>Filed to<span>Sea</span><svg aria-label='An arrow'><path d='M0'/></svg></p>",
        "<iframe src='javascript:false'></iframe>",
    ],
)
def test_what_an_article_leaves_out_on_purpose_is_not_lost(
    compare: Callable[[str], ImportComparison], part: str
) -> None:
    assert compare(PAGE.replace("</ul>", f"</ul>{part}")).losses == ()


@pytest.mark.parametrize(
    ("dropped", "loss"),
    [
        # The same text is listed as outside the article.
        (f"<p>{LOST}</p>", ("paragraph", 5)),
        ('<li>Bring a <a href="https://harbour.example/lamp">lamp</a>.</li>', ("list item", 6)),
        ("lamp", ("words", 6)),
        (' href="https://harbour.example/lamp"', ("link", 6)),
    ],
)
def test_what_a_converter_drops_is_lost(
    compare: Callable[[str], ImportComparison],
    monkeypatch: pytest.MonkeyPatch,
    dropped: str,
    loss: tuple[str, int],
) -> None:
    def drop(html: str, *args: object, **options: object) -> SanitizedHtml:
        kept, removed = sanitize_article(html, *args, **options)  # type: ignore[arg-type]
        assert dropped in kept
        before, _, after = kept.rpartition(dropped)
        return SanitizedHtml(before + after, removed)

    monkeypatch.setattr(html_source, "sanitize_article", drop)
    losses = compare(PAGE).losses
    assert (losses[0].kind, losses[0].line) == loss
