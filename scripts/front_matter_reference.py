"""Regenerate the tables of front matter in docs/reference/issues.md, from the model."""

import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from newsletter.posts.front_matter.schema import (
    AuthorField,
    ButtonField,
    CardField,
    DigestPostField,
    FrontMatterFields,
    ImageField,
)

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "issues.md"
BEGIN, END = "<!-- keys -->\n", "<!-- /keys -->\n"
TYPES = {
    str: "text",
    int: "number",
    bool: "true or false",
    datetime.date: "date",
    ImageField: "file, URL or mapping",
    AuthorField: "name or mapping",
    ButtonField: "mapping",
    CardField: "mapping",
    DigestPostField: "mapping",
    Any: "anything",
}
# The keys of the mappings, each below the first key that takes one.
MAPPINGS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("author", AuthorField),
    ("hero", ImageField),
    ("button", ButtonField),
    ("further", CardField),
    ("digest", DigestPostField),
)


def main() -> None:
    """Replace the tables in the page; with ``--print``, print them instead."""
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(tables())
        return
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + tables() + END + after)


def tables() -> str:
    """Return the table of all keys, and one for the keys of each mapping."""
    parts = [_table(FrontMatterFields)]
    parts += [f"\n**Keys of `{key}`**\n\n{_table(model)}" for key, model in MAPPINGS]
    return "".join(parts)


def _table(model: type[BaseModel]) -> str:
    return "".join(["| key | type | default | meaning |\n|---|---|---|---|\n", *_rows(model)])


def _rows(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        example = f" Example: `{field.examples[0]}`" if field.examples else ""
        yield (
            f"| `{name}` | {_type(field.annotation)} | {_default(field)} "
            f"| {field.description}{example} |\n"
        )


def _type(annotation: Any) -> str:
    if get_origin(annotation) in (UnionType, Union):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list"
    return TYPES[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default in (None, "", ()) else f"`{str(field.default).lower()}`"


if __name__ == "__main__":
    main()
