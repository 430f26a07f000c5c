"""Settings of tracking: whose opens and clicks are recorded."""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from newsletter.config.base_model import StrictModel
from newsletter.config.public_site import SingleLineText

# off: nobody's; ask: those of the readers who have agreed; all: everybody's.
TrackingMode = Literal["off", "ask", "all"]
TrackedAction = Literal["opens", "clicks"]
TRACKED_ACTIONS: tuple[TrackedAction, ...] = get_args(TrackedAction)


def parse_tracking_mode(value: object) -> object:
    """Return ``off`` for false and ``all`` for true; anything else as it is.

    YAML 1.1 reads an unquoted ``off`` as false, and there was only true and false before ``ask``.
    """
    return ("all" if value else "off") if isinstance(value, bool) else value


def parse_tracking(value: object) -> object:
    """Return ``{opens: ask, clicks: ask}`` for ``ask``; a section as it is.

    Raises:
        ValueError: it is neither a section nor a mode.
    """
    if value is None or isinstance(value, dict | TrackingOptions):
        return value
    mode = parse_tracking_mode(value)
    if mode not in get_args(TrackingMode):
        raise ValueError("this must be off, ask or all, or a section with opens and clicks")
    return {"opens": mode, "clicks": mode}


_Mode = Annotated[
    TrackingMode,
    BeforeValidator(parse_tracking_mode, json_schema_input_type=TrackingMode | bool),
]


class TrackingOptions(StrictModel):
    """What SendGrid may record about readers; ``off`` by default."""

    opens: _Mode = Field(default="off", examples=["ask"], description="Record who opens an issue.")
    clicks: _Mode = Field(
        default="off", examples=["ask"], description="Record who clicks which link."
    )
    wording: SingleLineText | None = Field(
        default=None,
        description="Text of the checkbox with `ask`; kept in the consent journal. The template's "
        "own, which names what is recorded, if not set.",
        examples=["Yes, Harbour Notes may record which issues I open, to improve them."],
    )

    @property
    def asked_actions(self) -> tuple[TrackedAction, ...]:
        """What is recorded of those readers only who have agreed."""
        return tuple(action for action in TRACKED_ACTIONS if getattr(self, action) == "ask")

    @property
    def unconditional(self) -> frozenset[TrackedAction]:
        """What is recorded of every reader."""
        return frozenset(action for action in TRACKED_ACTIONS if getattr(self, action) == "all")
