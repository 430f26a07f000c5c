"""Import a feed of 30 posts and 508 kB from disk, as new processes, by turns.

The baseline is feedparser alone, raw, as our reader calls it: neither sanitizing nor resolving
links. Listing the feed parses all of it; importing it writes 30 issues as well. The goal is for
the whole command that shows what there is.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cold_process import Command, installed_environment, measure_by_turns

ROUNDS = 10
POSTS, SIZE = 30, 508_000
GOAL = 500.0  # milliseconds
ROOT = Path(__file__).parent.parent
BASELINE = """
import io, sys, feedparser
with open(sys.argv[1], "rb") as file:
    feed = feedparser.parse(
        io.BytesIO(file.read()), sanitize_html=False, resolve_relative_uris=False
    )
assert len(feed.entries) == 30
"""
IMPORT = "import sys; from newsletter.cli.main import main; sys.exit(main(sys.argv[1:]))"
# A new folder each time: what was imported before is not imported again.
IMPORT_ALL = """
import shutil, sys
from newsletter.cli.main import main
shutil.rmtree("issues", ignore_errors=True)
sys.exit(main(["import", sys.argv[1], "--all"]))
"""
PARAGRAPH = (
    "<p>The tide went out at <strong>six</strong>, and the gulls came in; see "
    '<a href="/notes/{number}/gulls.html">the notes</a> &amp; '
    '<img src="https://harbour.example/{number}.jpg" alt="Gulls, at low tide">.</p>\n'
)


def make_feed() -> str:
    """Return an RSS feed as WordPress writes it, with the whole posts in it."""
    item = (
        "<item><title>Low tide {number}</title><link>https://harbour.example/{number}/</link>"
        '<guid isPermaLink="false">https://harbour.example/?p={number}</guid>'
        "<pubDate>Fri, {day:02d} Oct 2026 10:00:00 +0000</pubDate><dc:creator>Ann</dc:creator>"
        "<category>Sea</category><description>The tide went out [&#8230;]</description>"
        "<content:encoded><![CDATA[{body}]]></content:encoded></item>"
    )
    empty = len(item)
    items = []
    for number in range(POSTS):
        paragraph = PARAGRAPH.format(number=number)
        body = paragraph * ((SIZE // POSTS - empty) // len(paragraph))
        items.append(item.format(number=number, day=number + 1, body=body))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Notes</title>'
        f"<link>https://harbour.example</link>{''.join(items)}</channel></rss>"
    )


def main() -> None:
    with TemporaryDirectory() as path, installed_environment() as environment:
        folder = Path(path)
        shutil.copy(ROOT / "newsletter.yml", folder)
        shutil.copytree(ROOT / "templates", folder / "templates")
        (folder / "issues").mkdir()
        (folder / "feed.xml").write_text(make_feed())
        size = (folder / "feed.xml").stat().st_size
        commands = [
            Command([sys.executable, "-c", BASELINE, "feed.xml"], folder),
            Command([sys.executable, "-c", IMPORT, "import", "feed.xml", "--list"], folder),
            Command([sys.executable, "-c", IMPORT_ALL, "feed.xml"], folder),
        ]
        baseline, listed, imported = measure_by_turns(commands, ROUNDS, environment)
    rows = (("feedparser raw", baseline), ("import --list", listed), ("import --all", imported))
    print(f"medians of {ROUNDS}, new processes, by turns; {POSTS} posts, {size // 1000} kB")
    for name, taken in rows:
        ratio = taken.cpu / baseline.cpu
        print(f"{name:15} CPU {taken.cpu:7.1f} ms  wall {taken.wall:7.1f} ms  {ratio:5.2f} x")
    print(f"goal            {GOAL:.0f} ms for --list; --all {imported.cpu / POSTS:.1f} ms a post")


if __name__ == "__main__":
    main()
