"""Describe content losses to the editor."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from newsletter.posts.content_loss.compare import ContentLoss
from newsletter.wording import format_count, pluralize

_MAX_QUOTE_LENGTH = 60  # characters
_MAX_LINES = 3  # lines named of each kind


def describe_loss(loss: ContentLoss) -> str:
    """Return a phrase for one loss: "a heading is not in the email: 'Nor this'"."""
    if loss.kind == "words":
        subject = "a word is" if loss.word_count == 1 else f"{loss.word_count:,} words are"
    else:
        article = "an" if loss.kind[0] in "aeiou" else "a"
        subject = f"{article} {loss.kind} is"
    return f"{subject} not in the email: {_clip(loss.text)}"


def summarize_losses(losses: Iterable[ContentLoss]) -> Iterator[str]:
    """Yield a phrase for each kind: how many were lost, the first with its text, the lines."""
    by_kind: dict[str, list[ContentLoss]] = defaultdict(list)
    for loss in losses:
        by_kind[loss.kind].append(loss)
    for kind, group in by_kind.items():
        words = sum(loss.word_count for loss in group)
        noun = kind.removesuffix("s")
        count = words if kind == "words" else len(group)
        size = f" ({format_count(words, 'word')})" if words and kind != "words" else ""
        lines = list(dict.fromkeys(str(loss.line) for loss in group if loss.line))
        more = f" and {len(lines) - _MAX_LINES:,} more" if len(lines) > _MAX_LINES else ""
        phrase = f"{format_count(count, noun)}{size}: {_clip(group[0].text)}"
        label = pluralize(len(lines), "line")
        yield f"{phrase} ({label} {', '.join(lines[:_MAX_LINES])}{more})" if lines else phrase


def _clip(text: str) -> str:
    if len(text) > _MAX_QUOTE_LENGTH:
        text = f"{text[: _MAX_QUOTE_LENGTH - 1].rstrip()}\u2026"
    return f"'{text}'"
