"""Import of a WordPress export of 500 posts, against lxml's iterparse alone over the same file.

The export is made here: half of its posts from the classic editor, with captions and galleries,
half from the block editor; each has comments and other fields, and two uploaded images follow it.
Each part runs in a process of its own, so that the peak of its memory is its own: the baseline,
the reader alone, and ``newsletter import FILE --all --hotlink`` into an empty project.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

POSTS = 500
GOAL_SECONDS = 10
GOAL_MEGABYTES = 200
SENTENCE = "The ice let go on a Tuesday, all at once, and nobody in the harbour had heard it. "
HEAD = """<?xml version="1.0" encoding="UTF-8" ?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
xmlns:content="http://purl.org/rss/1.0/modules/content/"
xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel><title>Harbour Notes</title><link>https://harbournotes.example</link>
<language>en</language><wp:wxr_version>1.2</wp:wxr_version>
<wp:base_blog_url>https://harbournotes.example</wp:base_blog_url>
"""


def write_export(path: Path) -> None:
    """Write an export of ``POSTS`` posts."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        for number in range(1, POSTS + 1):
            content = make_classic_text(number) if number % 2 else make_blocks(number)
            file.write(make_post(number, content))
            file.write(make_image(10_000 + number, number))
            file.write(make_image(20_000 + number, number))
        file.write("</channel></rss>\n")


def make_classic_text(number: int) -> str:
    """Return what an author typed in the classic editor."""
    image = (
        f'<img class="wp-image-{10_000 + number}" src="{image_url(10_000 + number, "-300x225")}"'
    )
    parts = [
        SENTENCE * 6,
        "<!--more-->",
        f'[caption id="attachment_{number}" width="300"]{image} alt="Ice" /> The quay[/caption]',
        *(f"{SENTENCE * 3}\n<em>{SENTENCE}</em> Number {part}." for part in range(8)),
        f'[gallery ids="{10_000 + number},{20_000 + number}"]',
        "<ul>\n<li>Rope</li>\n<li>Tar</li>\n</ul>",
    ]
    return "\n\n".join(parts)


def make_blocks(number: int) -> str:
    """Return what the block editor saved."""
    url = image_url(10_000 + number, "-1024x768")
    paragraphs = (
        f"<!-- wp:paragraph -->\n<p>{SENTENCE * 4} <strong>Number {part}</strong>.</p>\n"
        "<!-- /wp:paragraph -->"
        for part in range(9)
    )
    image = f'<img src="{url}" class="wp-image-{10_000 + number}" alt="Ice"/>'
    parts = [
        *paragraphs,
        '<!-- wp:heading {"level":3} -->\n<h3>Slack water</h3>\n<!-- /wp:heading -->',
        f'<!-- wp:image -->\n<figure class="wp-block-image">{image}</figure>\n<!-- /wp:image -->',
        "<!-- wp:latest-posts /-->",
    ]
    return "\n\n".join(parts)


def make_post(number: int, content: str) -> str:
    """Return the item of a post."""
    comments = "".join(
        f"<wp:comment><wp:comment_id>{number}{comment}</wp:comment_id>"
        f"<wp:comment_content><![CDATA[{SENTENCE}]]></wp:comment_content></wp:comment>\n"
        for comment in range(5)
    )
    meta = "".join(
        f"<wp:postmeta><wp:meta_key>_field_{key}</wp:meta_key><wp:meta_value><![CDATA["
        f"a:1:{{i:0;s:3:&quot;{key}&quot;;}}]]></wp:meta_value></wp:postmeta>\n"
        for key in range(20)
    )
    return f"""<item><title><![CDATA[Ice, part {number}]]></title>
<link>https://harbournotes.example/ice-{number}/</link><dc:creator>ada</dc:creator>
<guid isPermaLink="false">https://harbournotes.example/?p={number}</guid>
<content:encoded><![CDATA[{content}]]></content:encoded>
<excerpt:encoded><![CDATA[]]></excerpt:encoded><wp:post_id>{number}</wp:post_id>
<wp:post_date_gmt>2026-{number % 12 + 1:02}-{number % 28 + 1:02} 08:00:00</wp:post_date_gmt>
<wp:post_name>ice-{number}</wp:post_name><wp:status>publish</wp:status>
<wp:post_type>post</wp:post_type>
<category domain="post_tag" nicename="ice"><![CDATA[Ice]]></category>
{meta}{comments}</item>
"""


def make_image(number: int, parent: int) -> str:
    """Return the item of an uploaded image."""
    return f"""<item><title>Image {number}</title><wp:post_id>{number}</wp:post_id>
<wp:post_parent>{parent}</wp:post_parent><wp:status>inherit</wp:status>
<wp:post_type>attachment</wp:post_type>
<wp:attachment_url>{image_url(number)}</wp:attachment_url></item>
"""


def image_url(number: int, size: str = "") -> str:
    """Return the URL of an uploaded image."""
    return f"https://harbournotes.example/wp-content/uploads/{number}{size}.jpg"


def parse_alone(path: Path) -> int:
    """Parse the file with iterparse, item by item; return their number."""
    from lxml import etree

    count = 0
    for _, item in etree.iterparse(path, tag="{*}item", resolve_entities=False, no_network=True):
        count += 1
        item.clear()
        while item.getprevious() is not None:
            del item.getparent()[0]
    return count


def read_posts(path: Path) -> int:
    """Read the posts; return their number."""
    from newsletter.posts.importing.source_post import SourceSettings
    from newsletter.posts.importing.sources.wordpress.open_export import open_wordpress_export

    settings = SourceSettings(ZoneInfo("Europe/Berlin"), "en", 10_000_000)
    return sum(1 for _ in open_wordpress_export([path], settings).iter_posts())


def import_all(path: Path) -> int:
    """Import the posts into an empty project; return their number."""
    import contextlib
    import os

    from newsletter.cli.main import main as run_command

    project = path.parent / "project"
    with (path.parent / "output.txt").open("w") as output, contextlib.redirect_stdout(output):
        with contextlib.suppress(SystemExit):
            run_command(["init", str(project)])
        os.chdir(project)
        before = len(list(Path("issues").iterdir()))
        with contextlib.suppress(SystemExit):
            run_command(["import", str(path), "--all", "--hotlink"])
    return len(list(Path("issues").iterdir())) - before


PARTS: dict[str, Callable[[Path], int]] = {
    "iterparse": parse_alone,
    "reader": read_posts,
    "import": import_all,
}


def run_part(name: str, path: Path) -> None:
    """Run one part in this process, and print its time, its peak of memory and its count."""
    start, cpu_start = time.perf_counter(), time.process_time()
    count = PARTS[name](path)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(seconds, cpu, peak, count)


def main() -> int:
    """Run each part in its own process; return 1 if the import misses a goal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xml"
        write_export(path)
        print(f"{POSTS} posts, {path.stat().st_size / 1e6:.1f} MB")
        baseline = 0.0
        for name in PARTS:
            command = [sys.executable, __file__, name, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, cpu, peak, count = map(float, done.stdout.split())
            baseline = baseline or cpu
            print(
                f"{name:9} {seconds:6.2f} s  CPU {cpu:6.2f} s  {cpu / baseline:5.1f} x iterparse"
                f"  {peak:4.0f} MB  {count:5,.0f} items"
            )
        is_met = seconds <= GOAL_SECONDS and peak <= GOAL_MEGABYTES
        print(f"goal: {GOAL_SECONDS} s, {GOAL_MEGABYTES} MB: {'met' if is_met else 'MISSED'}")
        return 0 if is_met else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_part(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())
