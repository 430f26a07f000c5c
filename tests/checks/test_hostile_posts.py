"""The rules never raise, whatever a post contains: a crash would block a good issue."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.checks.check_context import CheckContext
from newsletter.checks.runner import run_rules
from newsletter.config.models import Config
from newsletter.errors import NewsletterError
from newsletter.posts.read_issue import read_issue
from newsletter.render.article.build import build_article
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates

CONFIG = Config.model_validate(
    {
        "name": "Harbour Notes",
        "sender": {"name": "Ingrid", "address": "ingrid@harbournotes.example"},
        "site_url": "https://harbournotes.example",
    }
)
PIECES = st.sampled_from(
    [
        "[a](http://[::1)", "[a](https://[x]/)", "[a](mailto:)", "[a](tel:)", "[ ](#)", "[a](#%)",
        "[a](//x)", "[a](?utm_source=1?utm_source=2)", '<a href="http://256.1.1.1:99999/">b</a>',
        '<p style="font-size:1.2.3px;color:#12;background:rgb(999,1,1)">x</p>',
        '<p style="line-height:..;padding:1 2 3 4 5">x</p>', '<img src="https://x/%zz">',
        '<font color="nonsense">x</font>', "<table><tr><th>", "<h6>deep</h6>", "# one", "#### four",
        "“open", '"', "«", "سكس", "*|X|*", "%%name%%", "\u202e", "\ufffd", "Ã©", "40% of", "TODO",
        "A study found", "As Ada Berg puts it, “", "Leave a Reply", "2 comments", "`code", "\n\n",
        "Harbour Note", "2 > 1", "&#0;", "&nbsp;", "[^1]", "[^1]: note", "> quote", "- item", " ",
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "2026-11-22-spring"
    folder.mkdir()
    return folder


@example(pieces=['<img src="https://x/%zz">'])  # no text at all
@settings(max_examples=60)
@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), min_size=1, max_size=14))
def test_rules_never_raise(folder: Path, templates: Templates, pieces: list[str]) -> None:
    source = "---\ntitle: Spring\n---\n" + "\n".join(pieces)
    (folder / "post.md").write_text(source, encoding="utf-8", errors="replace", newline="")
    try:
        issue = read_issue(folder, CONFIG)
        article = build_article(issue, CONFIG)
        email = render_issue(issue, templates, CONFIG, article=article)
    except NewsletterError:
        return  # reported before any check
    findings = run_rules(CheckContext(issue, article, email, CONFIG))
    lines = issue.source.count("\n") + 1
    assert all(finding.where is None or (finding.where.line or 1) <= lines for finding in findings)
