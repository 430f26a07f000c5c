"""Print docs/checks.md: every rule of ``newsletter check``, from its code."""

import sys
from itertools import groupby

from newsletter.checks.registry import ALL_RULES
from newsletter.checks.rule import Rule

HEAD = """\
# Checks
`newsletter check` checks an issue as its readers would get it: the final HTML and text, with the
longest values of the readers on the list. It sends nothing, and is offline without `--online`.
`newsletter plan` and `newsletter send` run the rules that need no network, and refuse on errors.

An **error** blocks sending. A **warning** should be looked at; `--strict` fails on it too. A
**hint** is a matter of taste. A finding can be allowed in the front matter of an issue, with a
reason that is kept with the plan and shown by `newsletter status --json`:

```yaml
allow:
  no-preheader: the first sentence says it best
```

`--format json` is for scripts, `sarif` (SARIF 2.1.0) for code scanning, `github` for a workflow's
annotations. Where SpamAssassin is installed, its score is reported as well.

A missing image file is not a rule: an image that is not beside the post stops every command, with
its line. Lines of the HTML may be of any length: it is sent encoded (quoted-printable).
"""


def main() -> None:
    """Print the page."""
    rules = sorted(ALL_RULES, key=lambda rule: _topics().index(rule.topic))
    sys.stdout.write(HEAD)
    for topic, topic_rules in groupby(rules, key=lambda rule: rule.topic):
        sys.stdout.write(f"\n## {topic}\n")
        for rule in topic_rules:
            sys.stdout.write(_entry(rule))


def _topics() -> list[str]:
    return list(dict.fromkeys(rule.topic for rule in ALL_RULES))


def _entry(rule: Rule) -> str:
    return f"""
### `{rule.id}`
*{rule.severity.capitalize()}.* {rule.summary}

{rule.meaning} {rule.remedy}
"""


if __name__ == "__main__":
    main()
