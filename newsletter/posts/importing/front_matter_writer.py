"""Write an imported post as ``post.md`` or ``post.html``."""

from typing import Any

import yaml

from newsletter.errors import PostError
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.importing.imported_post import ImportedPost

_YAML_WIDTH = 96


class _Dumper(yaml.SafeDumper):
    """YAML dumper that writes an unset setting without a value, for the editor to fill in."""


_Dumper.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)
# TOML's times of day, for which YAML has no type.
_Dumper.add_multi_representer(object, lambda dumper, value: dumper.represent_str(str(value)))


def format_post_file(imported_post: ImportedPost) -> str:
    """Return the text of the post file: front matter (YAML) and body.

    YAML in the source is kept as written, including comments; missing settings are added below it.
    """
    body = imported_post.body
    gap = "" if body.startswith("\n") else "\n"
    end = "" if body.endswith("\n") else "\n"
    return f"---\n{_format_front_matter(imported_post)}---\n{gap}{body}{end}"


def _format_front_matter(imported_post: ImportedPost) -> str:
    if imported_post.front_matter_source:
        source = imported_post.front_matter_source.rstrip("\n") + "\n"
        existing = split_front_matter(f"---\n{source}---\n", "").data
        missing = {
            key: value for key, value in imported_post.front_matter.items() if key not in existing
        }
        extended = source + (_dump_yaml(missing) if missing else "")
        try:
            if (
                split_front_matter(f"---\n{extended}---\n", "").data.keys()
                == existing.keys() | missing.keys()
            ):
                return extended
        except PostError:
            pass  # YAML written as one {…} can't be extended with lines below it
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
