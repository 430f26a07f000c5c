"""The shape of a ``mail/send`` request, after Twilio SendGrid's documentation of v3 "Mail Send".

Only what a newsletter can use is let in: a field that is not here is refused, so that a slip in a
name shows in a rehearsal and not in a reader's inbox.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Mailbox = Annotated[str, Field(pattern=r"^[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}$")]
NonEmptyString = Annotated[str, Field(min_length=1)]
Category = Annotated[str, Field(min_length=1, max_length=255)]
StringMap = dict[str, str]


class StrictSchema(BaseModel):
    """Takes no unknown field and turns nothing into something else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NamedMailbox(StrictSchema):
    """A mailbox."""

    email: Mailbox
    name: str = ""


class Personalization(StrictSchema):
    """One envelope: who gets it, and what differs for them."""

    to: tuple[NamedMailbox, ...] = Field(min_length=1, max_length=1000)
    cc: tuple[NamedMailbox, ...] = Field(default=(), max_length=1000)
    bcc: tuple[NamedMailbox, ...] = Field(default=(), max_length=1000)
    subject: str = Field(default="", min_length=1)
    headers: StringMap = {}
    substitutions: StringMap = {}
    custom_args: StringMap = {}
    send_at: int | None = None

    @property
    def all_recipients(self) -> tuple[NamedMailbox, ...]:
        """All who are addressed."""
        return self.to + self.cc + self.bcc


class ContentPart(StrictSchema):
    """One version of the body."""

    type: NonEmptyString
    value: NonEmptyString


class UnsubscribeGroup(StrictSchema):
    """The vendor's unsubscribe group."""

    group_id: int
    groups_to_display: tuple[int, ...] = Field(default=(), max_length=25)


class OnOffSetting(StrictSchema):
    """Something that is on or off."""

    enable: bool


class ClickTracking(OnOffSetting):
    """Click tracking, and whether in the text part too."""

    enable_text: bool = False


class TrackingSettings(StrictSchema):
    """What the vendor may add to the mail."""

    click_tracking: ClickTracking | None = None
    open_tracking: OnOffSetting | None = None
    subscription_tracking: OnOffSetting | None = None
    ganalytics: OnOffSetting | None = None


class MailSettings(StrictSchema):
    """How the vendor handles the request."""

    sandbox_mode: OnOffSetting | None = None


class MailSend(StrictSchema):
    """The body of ``POST /v3/mail/send``."""

    personalizations: tuple[Personalization, ...] = Field(min_length=1, max_length=1000)
    sender: NamedMailbox = Field(alias="from")
    reply_to: NamedMailbox | None = None
    subject: str = Field(default="", min_length=1)
    content: tuple[ContentPart, ...] = Field(min_length=1)
    headers: StringMap = {}
    categories: tuple[Category, ...] = Field(default=(), max_length=10)
    custom_args: StringMap = {}
    send_at: int | None = None
    batch_id: str = Field(default="", min_length=1)
    asm: UnsubscribeGroup | None = None
    ip_pool_name: str = Field(default="", min_length=2, max_length=64)
    mail_settings: MailSettings | None = None
    tracking_settings: TrackingSettings | None = None

    @property
    def is_sandbox(self) -> bool:
        """Whether the request is only to be checked."""
        settings = self.mail_settings
        return bool(settings and settings.sandbox_mode and settings.sandbox_mode.enable)
