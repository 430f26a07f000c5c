"""A page of a blog and the email made of it say the same, as a browser shows both."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from static_host import StaticHost

pytestmark = pytest.mark.browser

Cli = Callable[..., tuple[int, str, str]]

PARAGRAPH = "The ice let go on Tuesday, and by Thursday the first boats lay at the quay again. "
PAGE = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The ice</title></head>
<body><header><nav><ul><li><a href="/">Home</a></li></ul></nav></header>
<main><article><h1>The ice</h1><p>{PARAGRAPH * 3}</p>
<h2>What it carried</h2><ul><li>Boats<ol><li>red</li><li>blue &amp; white</li></ol></li>
<li><p>Nets,</p><p>and floats.</p></li></ul>
<h3>Its <em>height</em></h3><p>Ask at <a href="harbour.html?a=1&amp;b=2">the harbour</a>,
<kbd>Ctrl</kbd>+<kbd>C</kbd>, <code>a &lt; b</code>.<sup id="r1"><a href="#n1">1</a></sup></p>
<pre><code class="language-python">def tide(day):
    # spring &amp; neap
    return day &lt; 3

print(tide(2))</code></pre>
<table><caption>Tides</caption><thead><tr><th>Day</th><th>Height</th></tr></thead>
<tbody><tr><td>Monday</td><td>2.1 m</td></tr><tr><td>Tuesday</td><td></td></tr></tbody></table>
<dl><dt>Neap</dt><dd>the low one</dd></dl>
<blockquote><p>Nobody could say.</p><footer>The <cite>pilot</cite></footer></blockquote>
<details><summary>More</summary><p>About the ferry.</p></details>
<figure><img src="boat.png" alt="A boat"><figcaption>A boat, <a href="/b">painted</a></figcaption>
</figure><p>ZWNJ: نمی\u200cخواهم; emoji 👩\u200d👩\u200d👧; soft\u00adhyphen.</p></article></main>
<footer><h2>Related posts</h2><ul><li><a href="/other">Another post</a></li></ul></footer>
</body></html>"""
# The text of each heading, list item, line of code, table cell and so on, and each link's target.
CONTENT = """root => {
    const flat = text => text.replace(/[\\s\\u00ad]+/g, ' ').trim();
    const own = e => flat([...e.childNodes].filter(n => !/^(UL|OL)$/.test(n.nodeName))
        .map(n => n.textContent).join(' '));
    const pick = selector => [...root.querySelectorAll(selector)];
    return {
        headings: pick('h2, h3').map(e => flat(e.textContent)),
        items: pick('li').filter(e => !e.closest('.footnotes')).map(own),
        code: pick('pre').flatMap(e => e.textContent.split('\\n')).map(s => s.trimEnd())
            .filter(Boolean),
        cells: pick('th, td').filter(e => e.closest('table').role !== 'presentation')
            .map(e => flat(e.textContent)),
        terms: pick('dt, dd').map(e => flat(e.textContent)),
        keys: pick('kbd, p > code').map(e => flat(e.textContent)),
        links: pick('a[href]').map(e => e.href).filter(url => !url.includes('#')),
    };
}"""


def test_page_and_email_show_the_same(
    cli: Cli, project_folder: Path, static_host: StaticHost, browser: Browser
) -> None:
    (static_host.folder / "ice.html").write_text(PAGE)
    url = f"{static_host.url}/ice.html"
    code, out, err = cli("import", url, "--date", "2026-11-28")
    assert code == 0, out + err
    code, out, err = cli("build", "ice")
    assert code == 0, out + err
    (email,) = project_folder.glob("build/*ice/*.html")
    page = browser.new_page()
    try:
        page.goto(url)
        shown = page.locator("article").evaluate(CONTENT)
        assert [len(texts) for texts in shown.values()] == [2, 4, 4, 6, 2, 3, 2]
        page.goto(email.as_uri())
        assert page.locator(".article").evaluate(CONTENT) == shown
    finally:
        page.close()
