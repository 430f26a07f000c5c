"""A manuscript as the text of ``post.md`` or ``post.html``."""

from typing import Any

import yaml

from newsletter.errors import PostError
from newsletter.posts.front_matter.parse import split
from newsletter.posts.importing.imported_post import Manuscript

_WIDTH = 96


class _Dumper(yaml.SafeDumper):
    """Writes what front matter can hold; an empty setting is left for the editor to fill."""


_Dumper.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)
# TOML's times of day, which YAML has no type for.
_Dumper.add_multi_representer(object, lambda dumper, value: dumper.represent_str(str(value)))


def compose(manuscript: Manuscript) -> str:
    """Write front matter (YAML) and body.

    YAML that the post came with stays as it was written, comments and all; what was missing is
    added below it.
    """
    body = manuscript.body
    gap = "" if body.startswith("\n") else "\n"
    end = "" if body.endswith("\n") else "\n"
    return f"---\n{_settings(manuscript)}---\n{gap}{body}{end}"


def _settings(manuscript: Manuscript) -> str:
    if manuscript.front_source:
        as_written = manuscript.front_source.rstrip("\n") + "\n"
        told = split(f"---\n{as_written}---\n", "").data
        missing = {key: value for key, value in manuscript.front.items() if key not in told}
        added = as_written + (_dump(missing) if missing else "")
        try:
            if split(f"---\n{added}---\n", "").data.keys() == told.keys() | missing.keys():
                return added
        except PostError:
            pass  # written as one {…}: nothing can be added below it
    return _dump(dict(manuscript.front))


def _dump(settings: dict[str, Any]) -> str:
    return yaml.dump(
        settings,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_WIDTH,
    )
