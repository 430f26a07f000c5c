"""Settings of notifications: who is notified about a send, and how."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from newsletter.config import value_types
from newsletter.config.base_model import StrictModel
from newsletter.config.public_site import split_command

NotificationKind = Literal["started", "finished", "blocked", "needs_decision", "no_events"]
NOTIFICATION_KINDS: tuple[NotificationKind, ...] = (
    "started",
    "finished",
    "blocked",
    "needs_decision",
    "no_events",
)
EditorAddress = Annotated[str, AfterValidator(value_types.parse_email_address)]


def _wrap_single_value(value: object) -> object:
    """Return a list of one for a single text."""
    return (value,) if isinstance(value, str) else value


class NotifySettings(StrictModel):
    """Who is notified about a send that nobody watches."""

    email: Annotated[
        tuple[EditorAddress, ...],
        BeforeValidator(_wrap_single_value, json_schema_input_type=str | tuple[str, ...]),
    ] = Field(
        default=(),
        max_length=10,
        description="One or several addresses, notified through SendGrid.",
        examples=["editor@harbournotes.example"],
    )
    command: Annotated[
        tuple[Annotated[str, AfterValidator(value_types.parse_argument)], ...],
        BeforeValidator(split_command, json_schema_input_type=str | tuple[str, ...]),
    ] = Field(
        default=(),
        description="A program and its arguments, run without a shell in the project's folder. "
        "The notification in one line is added as its last argument; the full notification "
        "is on its standard input as JSON.",
        examples=[["ntfy", "publish", "harbour-notes-7f3a"]],
    )
    on: Annotated[
        tuple[NotificationKind, ...],
        BeforeValidator(
            _wrap_single_value,
            json_schema_input_type=NotificationKind | tuple[NotificationKind, ...],
        ),
    ] = Field(
        default=NOTIFICATION_KINDS,
        description="What is notified: that a scheduled send has started, has finished, is "
        "blocked, needs a decision, or has no events.",
    )
    no_events_after: float = Field(
        default=6.0,
        ge=0,
        le=160,
        description="Hours after a send in which an event must have come; 0 for no limit. Needs "
        "the webhook.",
    )

    @property
    def is_set(self) -> bool:
        """Whether there is anybody to notify."""
        return bool(self.email or self.command)
