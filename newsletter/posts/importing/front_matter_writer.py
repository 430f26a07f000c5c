"""A manuscript as the text of ``post.md`` or ``post.html``."""

from typing import Any

import yaml

from newsletter.errors import PostError
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.importing.imported_post import ImportedPost

_YAML_WIDTH = 96


class _Dumper(yaml.SafeDumper):
    """Writes what front matter can hold; an empty setting is left for the editor to fill."""


_Dumper.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)
# TOML's times of day, which YAML has no type for.
_Dumper.add_multi_representer(object, lambda dumper, value: dumper.represent_str(str(value)))


def format_post_file(imported_post: ImportedPost) -> str:
    """Write front matter (YAML) and body.

    YAML that the post came with stays as it was written, comments and all; what was missing is
    added below it.
    """
    body = imported_post.body
    gap = "" if body.startswith("\n") else "\n"
    end = "" if body.endswith("\n") else "\n"
    return f"---\n{_format_front_matter(imported_post)}---\n{gap}{body}{end}"


def _format_front_matter(imported_post: ImportedPost) -> str:
    if imported_post.front_matter_source:
        as_written = imported_post.front_matter_source.rstrip("\n") + "\n"
        told = split_front_matter(f"---\n{as_written}---\n", "").data
        missing = {
            key: value for key, value in imported_post.front_matter.items() if key not in told
        }
        added = as_written + (_dump_yaml(missing) if missing else "")
        try:
            if (
                split_front_matter(f"---\n{added}---\n", "").data.keys()
                == told.keys() | missing.keys()
            ):
                return added
        except PostError:
            pass  # written as one {…}: nothing can be added below it
    return _dump_yaml(dict(imported_post.front_matter))


def _dump_yaml(settings: dict[str, Any]) -> str:
    return yaml.dump(
        settings,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_YAML_WIDTH,
    )
