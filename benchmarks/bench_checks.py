"""All offline checks of an email, against premailer's defaults on the same one.

SpamAssassin is left out: it is a separate program. Both are warm; the email is rendered before.
"""

import tempfile
from pathlib import Path

from benchmarks.bench_render import ROUNDS, before_inlining, default_premailer, median, post
from newsletter.checks.check_context import CheckContext
from newsletter.checks.runner import run_rules
from newsletter.config.load import load_config
from newsletter.posts.read_issue import read_issue
from newsletter.render.article.build import build_article
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates

ROOT = Path(__file__).parent.parent
GOALS = {900: 150, 10_000: 500}


def main() -> None:
    config = load_config(ROOT / "newsletter.yml", {})
    templates = load_templates(ROOT / "templates")
    print(f"medians of {ROUNDS}, warm")
    for words, goal in GOALS.items():
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work) / "2026-11-22-quay"
            folder.mkdir()
            (folder / "post.md").write_text(post(words))
            issue = read_issue(folder, config)
            article = build_article(issue, config)
            email = render_issue(issue, templates, config, article=article)
            baseline = default_premailer(before_inlining(folder, config, templates))

            def all_checks() -> object:
                # A new context each time, so that nothing parsed before is reused.
                return run_rules(CheckContext(issue, article, email, config, {"name": "x" * 40}))  # noqa: B023

            checks_ms = median(all_checks)
        print(
            f"{words:6,} words: premailer's defaults {baseline:5.1f} ms, "
            f"all checks {checks_ms:5.1f} ms, goal {goal} ms"
        )


if __name__ == "__main__":
    main()
