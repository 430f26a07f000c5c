"""Schema of ``mail/send`` requests (pydantic).

After Twilio SendGrid's documentation of v3 "Mail Send". It has only the fields that a newsletter
can use: any other field is rejected, so that a misspelt name fails in a rehearsal and not in a
recipient's inbox.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Mailbox = Annotated[str, Field(pattern=r"^[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}$")]
NonEmptyString = Annotated[str, Field(min_length=1)]
Category = Annotated[str, Field(min_length=1, max_length=255)]
StringMap = dict[str, str]


class StrictSchema(BaseModel):
    """Base of all models: unknown fields are rejected, and no value is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NamedMailbox(StrictSchema):
    """A mailbox: address and name."""

    email: Mailbox
    name: str = ""


class Personalization(StrictSchema):
    """One recipient's part of the request: address and what differs for them."""

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
        """The mailboxes in to, cc and bcc."""
        return self.to + self.cc + self.bcc


class ContentPart(StrictSchema):
    """One part of the body (``multipart/alternative``)."""

    type: NonEmptyString
    value: NonEmptyString


class Attachment(StrictSchema):
    """A file in the email; an inline one is shown by its Content-ID (RFC 2392)."""

    content: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
    type: NonEmptyString
    filename: NonEmptyString
    disposition: Literal["inline", "attachment"] = "attachment"
    content_id: str = Field(default="", min_length=1)


class UnsubscribeGroup(StrictSchema):
    """An unsubscribe group of SendGrid."""

    group_id: int
    groups_to_display: tuple[int, ...] = Field(default=(), max_length=25)


class OnOffSetting(StrictSchema):
    """A setting that is on or off."""

    enable: bool


class ClickTracking(OnOffSetting):
    """Click tracking, and whether it includes the text part."""

    enable_text: bool = False


class TrackingSettings(StrictSchema):
    """What SendGrid adds to the email."""

    click_tracking: ClickTracking | None = None
    open_tracking: OnOffSetting | None = None
    subscription_tracking: OnOffSetting | None = None
    ganalytics: OnOffSetting | None = None


class MailSettings(StrictSchema):
    """How SendGrid handles the request."""

    sandbox_mode: OnOffSetting | None = None
    bypass_spam_management: OnOffSetting | None = None
    bypass_unsubscribe_management: OnOffSetting | None = None


class MailSend(StrictSchema):
    """The body of ``POST /v3/mail/send``."""

    personalizations: tuple[Personalization, ...] = Field(min_length=1, max_length=1000)
    sender: NamedMailbox = Field(alias="from")
    reply_to: NamedMailbox | None = None
    subject: str = Field(default="", min_length=1)
    content: tuple[ContentPart, ...] = Field(min_length=1)
    attachments: tuple[Attachment, ...] = ()
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
        """Whether the request is only validated, not delivered."""
        settings = self.mail_settings
        return bool(settings and settings.sandbox_mode and settings.sandbox_mode.enable)
