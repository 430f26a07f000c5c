"""The shape of a ``mail/send`` request, after Twilio SendGrid's documentation of v3 "Mail Send".

Only what a newsletter can use is let in: a field that is not here is refused, so that a slip in a
name shows in a rehearsal and not in a reader's inbox.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Mailbox = Annotated[str, Field(pattern=r"^[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}$")]
Filled = Annotated[str, Field(min_length=1)]
Category = Annotated[str, Field(min_length=1, max_length=255)]
Strings = dict[str, str]


class Shape(BaseModel):
    """Takes no unknown field and turns nothing into something else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Person(Shape):
    """A mailbox."""

    email: Mailbox
    name: str = ""


class Personalization(Shape):
    """One envelope: who gets it, and what differs for them."""

    to: tuple[Person, ...] = Field(min_length=1, max_length=1000)
    cc: tuple[Person, ...] = Field(default=(), max_length=1000)
    bcc: tuple[Person, ...] = Field(default=(), max_length=1000)
    subject: str = Field(default="", min_length=1)
    headers: Strings = {}
    substitutions: Strings = {}
    custom_args: Strings = {}
    send_at: int | None = None

    @property
    def everyone(self) -> tuple[Person, ...]:
        """All who are addressed."""
        return self.to + self.cc + self.bcc


class Content(Shape):
    """One version of the body."""

    type: Filled
    value: Filled


class Group(Shape):
    """The vendor's unsubscribe group."""

    group_id: int
    groups_to_display: tuple[int, ...] = Field(default=(), max_length=25)


class Switch(Shape):
    """Something that is on or off."""

    enable: bool


class ClickTracking(Switch):
    """Click tracking, and whether in the text part too."""

    enable_text: bool = False


class Tracking(Shape):
    """What the vendor may add to the mail."""

    click_tracking: ClickTracking | None = None
    open_tracking: Switch | None = None
    subscription_tracking: Switch | None = None
    ganalytics: Switch | None = None


class MailSettings(Shape):
    """How the vendor handles the request."""

    sandbox_mode: Switch | None = None


class MailSend(Shape):
    """The body of ``POST /v3/mail/send``."""

    personalizations: tuple[Personalization, ...] = Field(min_length=1, max_length=1000)
    sender: Person = Field(alias="from")
    reply_to: Person | None = None
    subject: str = Field(default="", min_length=1)
    content: tuple[Content, ...] = Field(min_length=1)
    headers: Strings = {}
    categories: tuple[Category, ...] = Field(default=(), max_length=10)
    custom_args: Strings = {}
    send_at: int | None = None
    batch_id: str = Field(default="", min_length=1)
    asm: Group | None = None
    ip_pool_name: str = Field(default="", min_length=2, max_length=64)
    mail_settings: MailSettings | None = None
    tracking_settings: Tracking | None = None

    @property
    def sandbox(self) -> bool:
        """Whether the request is only to be checked."""
        settings = self.mail_settings
        return bool(settings and settings.sandbox_mode and settings.sandbox_mode.enable)
