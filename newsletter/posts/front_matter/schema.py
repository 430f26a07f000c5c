"""Front matter settings: allowed keys, their values, validation errors."""

from difflib import get_close_matches
from typing import Annotated, Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails

from newsletter.config.public_site import ArchiveListing
from newsletter.errors import Location, PostError, Problem
from newsletter.posts.front_matter.field_types import (
    FlowedText,
    FrontMatterDate,
    FrontMatterLine,
    ImageSource,
    LanguageTag,
    LineWithoutTags,
    LinkUrl,
    Mailbox,
    OptionalWebUrl,
    RequiredLine,
    TagList,
    TemplateName,
    accept_shorthand,
)
from newsletter.posts.front_matter.parse import FrontMatter

# Keys of other tools that look like misspelt keys of ours.
_FOREIGN_KEYS = frozenset({"authors", "tag", "titles", "headers", "dates"})
_EXPECTED_TYPES = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "model_type": "a section, each setting on an indented line below",
    "string_type": "text",
    "tuple_type": "a list, each item on a line below that starts with '- '",
}


class _NestedModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageField(_NestedModel):
    """An image: its path or URL, or a mapping."""

    src: ImageSource = Field(description="A file beside the post, or a URL.", examples=["boat.jpg"])
    alt: FlowedText = Field(
        default="",
        description="What the image shows, for readers who don't see it.",
        examples=["A red boat on the slipway"],
    )
    caption: FlowedText = Field(
        default="", description="The line below the image.", examples=["The quay at six."]
    )


ImageShorthand = Annotated[ImageField, accept_shorthand("src", ImageField)]


class AuthorField(_NestedModel):
    """An author: a name, or a mapping."""

    name: RequiredLine = Field(description="The author's name.", examples=["Ada Berg"])
    bio: FlowedText = Field(
        default="",
        description="A sentence or two about the author.",
        examples=["Ada writes about boats."],
    )
    url: OptionalWebUrl = Field(
        default="", description="The author's page.", examples=["https://example.com/ada"]
    )
    picture: ImageShorthand | None = Field(
        default=None, description="A portrait; like `hero`.", examples=["ada.jpg"]
    )


class ButtonField(_NestedModel):
    """The call to action."""

    text: RequiredLine = Field(description="The words on the button.", examples=["Read on"])
    url: LinkUrl = Field(
        description="Where it leads: `https://`, `mailto:` or a merge tag.",
        examples=["https://example.com/spring"],
    )


class CardField(_NestedModel):
    """A card for further reading."""

    title: RequiredLine = Field(description="The card's heading.", examples=["Three knots"])
    url: LinkUrl = Field(description="Where it leads.", examples=["https://example.com/knots"])
    text: FlowedText = Field(
        default="", description="A sentence below the heading.", examples=["And no more."]
    )
    picture: ImageShorthand | None = Field(
        default=None, description="The card's image; like `hero`.", examples=["knots.jpg"]
    )


class DigestPostField(_NestedModel):
    """A post of a digest."""

    title: RequiredLine = Field(
        description="The post's title.", examples=["The tide tables are wrong"]
    )
    url: LinkUrl = Field(
        description="Where the post is.", examples=["https://example.com/tide-tables"]
    )
    excerpt: FlowedText = Field(
        default="", description="A sentence or two of it.", examples=["By twenty minutes."]
    )
    picture: ImageShorthand | None = Field(
        default=None, description="Its image; like `hero`.", examples=["tide.jpg"]
    )
    minutes: int = Field(
        default=0,
        ge=0,
        description="How long it takes to read; 0 if that isn't shown.",
        examples=["6"],
    )
    section: FrontMatterLine = Field(
        default="",
        description="The heading above the posts of its section. Those without one come first.",
        examples=["Harbour"],
    )
    date: FrontMatterDate | None = Field(
        default=None, description="When it was published.", examples=["2026-11-20"]
    )
    post_id: FrontMatterLine = Field(
        default="",
        description="How the blog identifies it, so that no later digest repeats it. Readers "
        "don't see it.",
        examples=["https://example.com/?p=7"],
    )


class FrontMatterFields(BaseModel):
    """Validated front matter; unset fields are empty. Other tools' keys are ignored.

    At import such keys are moved to ``extra`` (see ``newsletter.posts.importing.settings``).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: FrontMatterLine = Field(
        default="",
        description="The headline. Without it, a heading at the start of the post.",
        examples=["Spring in the harbour"],
    )
    subject: FrontMatterLine = Field(
        default="",
        description="The subject line. Without it, the title.",
        examples=["The boats are back"],
    )
    preheader: FlowedText = Field(
        default="",
        description="The line that an inbox shows after the subject.",
        examples=["And so is the fog."],
    )
    description: FlowedText = Field(
        default="",
        description="Stands in for `preheader`, as blogs name it.",
    )
    summary: FlowedText = Field(
        default="",
        description="Stands in for `preheader` and `description`.",
    )
    excerpt: FlowedText = Field(
        default="",
        description="Stands in for `preheader`, `description` and `summary`.",
    )
    author: Annotated[AuthorField, accept_shorthand("name", AuthorField)] | None = Field(
        default=None,
        description="The byline; as a mapping, also the box below the article.",
        examples=["Ada Berg"],
    )
    date: FrontMatterDate | None = Field(
        default=None,
        description="The day that the post is dated: `2026-11-22`, with a time and an offset if "
        "you like.",
        examples=["2026-11-22"],
    )
    canonical_url: OptionalWebUrl = Field(
        default="",
        description="The post's address on your site; relative links start there.",
        examples=["https://example.com/spring"],
    )
    language: LanguageTag | None = Field(
        default=None,
        description="The issue's language, such as `en` or `pt-BR`. Without it, `language` of "
        "`newsletter.yml`.",
        examples=["en"],
    )
    tags: TagList = Field(
        default=(),
        description="Keywords: a list, or text with commas.",
        examples=["[boats, spring]"],
    )
    number: int | None = Field(
        default=None, ge=0, description="The issue's number, in the masthead.", examples=["12"]
    )
    draft: bool = Field(
        default=False,
        description="Whether the issue isn't finished; a draft can't be sent to the list.",
        examples=["true"],
    )
    sender_name: LineWithoutTags = Field(
        default="",
        description="The sender's name, instead of `sender.name` of `newsletter.yml`.",
        examples=["Ada at Harbour Notes"],
    )
    reply_to: Mailbox = Field(
        default="",
        description="The address that replies go to, instead of `sender.reply_to` of "
        "`newsletter.yml`.",
        examples=["ada@example.com"],
    )
    template: TemplateName | None = Field(
        default=None,
        description="A file of `templates/` without `.mjml`, instead of `theme.template` of "
        "`newsletter.yml`.",
        examples=["plain"],
    )
    hero: ImageShorthand | None = Field(
        default=None, description="The image below the title.", examples=["boat.jpg"]
    )
    button: ButtonField | None = Field(
        default=None,
        description="The call to action below the article.",
        examples=["{text: Read on, url: https://example.com}"],
    )
    further: tuple[CardField, ...] = Field(
        default=(),
        description="Cards for further reading, at the end.",
        examples=["[{title: Knots, url: https://example.com/knots}]"],
    )
    digest: tuple[DigestPostField, ...] = Field(
        default=(),
        description="The posts of a digest, in this order; the text below the front matter is its "
        "introduction.",
        examples=["[{title: Knots, url: https://example.com/knots}]"],
    )
    archive: ArchiveListing | None = Field(
        default=None,
        description="Where the sent issue's web page is listed, instead of `archive.listing` of "
        "`newsletter.yml`: unlisted issues have a page that no index links to, private ones have "
        "none.",
        examples=["unlisted"],
    )
    topic: LineWithoutTags = Field(
        default="",
        description="A topic of `preferences.topics` of `newsletter.yml`: readers who have opted "
        "out of it don't get the issue. Without it, everybody does.",
        examples=["weekly"],
    )
    allow: Any = Field(
        default=None,
        description="Findings of `newsletter check` that you accept, each with its reason.",
    )
    # Free content, accepted and unused.
    extra: Any = Field(
        default=None,
        description="Anything: it is kept and never used. Import puts the settings of other tools "
        "here.",
    )


def validate_front_matter(front_matter: FrontMatter, path: str) -> FrontMatterFields:
    """Validate the front matter of a post.

    Args:
        front_matter: the parsed front matter.
        path: its file, for messages.

    Raises:
        PostError: all invalid settings, and all keys that look misspelt.
    """
    names = {key.lower().replace("-", "_"): key for key in front_matter.data}
    problems = [
        Problem(
            f"unknown key '{key}'",
            Location(path, front_matter.lines.get(key)),
            f"Did you mean '{close_matches[0]}'? Other unknown keys are ignored; this one looks "
            "misspelt.",
        )
        for name, key in names.items()
        if name not in FrontMatterFields.model_fields
        and name not in _FOREIGN_KEYS
        and (
            close_matches := get_close_matches(
                name, FrontMatterFields.model_fields, n=1, cutoff=0.8
            )
        )
    ]
    settings = {name: front_matter.data[key] for name, key in names.items()}
    try:
        fields = FrontMatterFields.model_validate(
            {field_name: value for field_name, value in settings.items() if value is not None}
        )
    except pydantic.ValidationError as error:
        for details in error.errors(include_url=False):
            key = names[str(details["loc"][0])]
            where = Location(path, _find_line(details, key, front_matter))
            problems.append(_explain_field_error(details, where))
    if problems:
        raise PostError.from_problems(sorted(problems, key=_get_line_number))
    return fields


def _find_line(details: ErrorDetails, key: str, front_matter: FrontMatter) -> int | None:
    """Return the line of an invalid setting, or of its invalid item."""
    index = next((part for part in details["loc"][1:2] if isinstance(part, int)), None)
    return front_matter.find_line(key, index)


def _get_line_number(problem: Problem) -> int:
    return (problem.where and problem.where.line) or 0


def _explain_field_error(details: ErrorDetails, where: Location) -> Problem:
    key, *inner = (part for part in details["loc"] if part != "[key]")
    name = str(key) + "".join(
        f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in inner
    )
    kind = details["type"]
    example = FrontMatterFields.model_fields[str(key)].examples
    remedy = f"Example: {key}: {example[0]}" if example else ""
    if kind == "extra_forbidden":
        return Problem(f"unknown key '{name}'", where, remedy)
    if kind == "missing":
        return Problem(f"'{name}' is missing", where, remedy)
    if kind == "value_error":
        return Problem(f"{name} {details['ctx']['error']}", where, remedy)
    if kind == "too_short":
        return Problem(f"{name} is empty", where, remedy)
    if kind == "string_pattern_mismatch":
        return Problem(f"{name} is not in the expected format", where, remedy)
    expected = _EXPECTED_TYPES.get(kind)
    message = f"must be {expected}" if expected else details["msg"].replace("Input should", "must")
    return Problem(f"{name} {message}", where, remedy)
