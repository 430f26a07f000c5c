"""Settings of newsletter.yml: pydantic models, defaults, descriptions."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr

from newsletter.config import value_types
from newsletter.config.base_model import StrictModel
from newsletter.config.blog import BlogSettings
from newsletter.config.notify import NotifySettings
from newsletter.config.public_site import (
    ArchiveSettings,
    PreferencesSettings,
    PublicSiteSettings,
    PublishSettings,
    SignupSettings,
    SingleLineText,
)
from newsletter.config.theme import Theme
from newsletter.config.tracking import TrackingMode, TrackingOptions, parse_tracking

MultilineText = Annotated[str, AfterValidator(value_types.parse_lines)]
EmailAddress = Annotated[str, AfterValidator(value_types.parse_sender_address)]
UtmValue = Annotated[str, AfterValidator(value_types.parse_utm_value)]
AttributeName = Annotated[str, AfterValidator(value_types.parse_attribute_name)]
SegmentName = Annotated[str, AfterValidator(value_types.parse_segment_name)]


class SenderSettings(StrictModel):
    """Sender of the emails (RFC 5322 ``From`` and ``Reply-To``)."""

    name: SingleLineText = Field(
        description="The name that readers see in their inbox.", examples=["Harbour Notes"]
    )
    address: EmailAddress = Field(
        description="The From address, verified at SendGrid.",
        examples=["editor@harbournotes.example"],
    )
    reply_to: EmailAddress | None = Field(
        default=None,
        description="Address for replies; the From address if not set.",
        examples=["hello@harbournotes.example"],
    )


class UtmSettings(StrictModel):
    """Parameters added to links to the newsletter's own site; ``{slug}`` is the issue's slug."""

    source: UtmValue | None = Field(
        default=None, description="Becomes `utm_source`.", examples=["harbour-notes"]
    )
    medium: UtmValue | None = Field(
        default=None, description="Becomes `utm_medium`.", examples=["email"]
    )
    campaign: UtmValue | None = Field(
        default=None,
        description="Becomes `utm_campaign`; `{slug}` is the issue's slug.",
        examples=["{slug}"],
    )


class FooterLink(StrictModel):
    """A link in the footer of every issue."""

    text: SingleLineText = Field(description="Text of the link.", examples=["About"])
    url: Annotated[str, AfterValidator(value_types.parse_link_url)] = Field(
        description="Target of the link: https, http or mailto.",
        examples=["https://harbournotes.example/about"],
    )


class SendGridSettings(StrictModel):
    """Options of SendGrid's API. The key is never set here, only in ``SENDGRID_API_KEY``."""

    region: Literal["global", "eu"] = Field(
        default="global", description="Where SendGrid stores the account's data."
    )
    host: Annotated[str, AfterValidator(value_types.parse_api_host)] | None = Field(
        default=None,
        description="Another server with SendGrid's API; `SENDGRID_HOST` overrides it.",
        examples=["http://127.0.0.1:8025"],
    )
    asm_group: int | None = Field(
        default=None,
        ge=1,
        description="SendGrid's unsubscribe group, used when public_url is not set.",
        examples=[12345],
    )
    categories: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = Field(
        default=(),
        max_length=10,
        description="Categories in SendGrid's own statistics.",
        examples=[["harbour-notes"]],
    )
    personalize: Literal["substitutions", "per_request"] = Field(
        default="substitutions",
        description="Who replaces merge tags: SendGrid, or this program with one request per "
        "recipient (slow).",
    )
    webhook_key: Annotated[str, AfterValidator(value_types.parse_webhook_key)] | None = Field(
        default=None,
        description="The public key of the Signed Event Webhook, as SendGrid shows it.",
        examples=["MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE…"],
    )
    webhook_unsigned: bool = Field(
        default=False,
        description="Accept unsigned events: anybody could then send them.",
    )
    sandbox: bool = Field(
        default=False, description="SendGrid validates requests and delivers nothing."
    )
    connect_timeout: float = Field(
        default=10.0, gt=0, le=120, description="Seconds to wait for a connection."
    )
    read_timeout: float = Field(
        default=60.0, gt=0, le=600, description="Seconds to wait for a response."
    )


class Limits(StrictModel):
    """Limits on the size of input and requests; raise one only if you know why."""

    post_bytes: int = Field(
        default=10_000_000, ge=1_000, description="Largest post file, in bytes."
    )
    image_bytes: int = Field(
        default=10_000_000, ge=1_000, description="Largest image file, in bytes."
    )
    list_bytes: int = Field(
        default=1_000_000_000,
        ge=1_000,
        description="Largest total size of the subscriber files in a ZIP, unpacked, in bytes.",
    )
    batch_size: int = Field(
        default=1_000, ge=1, le=1_000, description="Recipients per request to SendGrid."
    )
    request_bytes: int = Field(
        default=20_000_000,
        ge=10_000,
        le=30_000_000,
        description="Largest request to SendGrid, in bytes.",
    )
    soft_bounces: int = Field(
        default=5,
        ge=1,
        le=1_000,
        description="Soft bounces in a row after which a subscriber gets no more email.",
    )
    bounce_percent: float = Field(
        default=10.0,
        ge=0,
        le=100,
        description="A send is paused if more of its first emails bounce; 0 for no limit.",
    )
    complaint_percent: float = Field(
        default=0.5,
        ge=0,
        le=100,
        description="A send is paused if more of its first readers report it as spam; 0 for no "
        "limit.",
    )


class Config(StrictModel):
    """All settings of a newsletter."""

    id: Annotated[str, AfterValidator(value_types.parse_newsletter_id)] = Field(
        default="",
        description="Identifies the newsletter in its database, whatever its name; made by "
        "newsletter init.",
        examples=["harbour-notes-7f3a"],
    )
    name: SingleLineText = Field(description="The newsletter's name.", examples=["Harbour Notes"])
    description: Annotated[str, AfterValidator(value_types.parse_optional_line)] = Field(
        default="",
        description="What the newsletter is, in a sentence; reminds readers why they get it.",
        examples=["A weekly letter from the quay."],
    )
    language: Annotated[str, AfterValidator(value_types.parse_language_tag)] = Field(
        default="en",
        description="Language of issues that don't set their own, and of readers whose own is not "
        "known or has no words (BCP 47).",
        examples=["en-GB"],
    )
    direction: Literal["ltr", "rtl", "auto"] = Field(
        default="auto", description="Text direction; auto follows the language."
    )
    sender: SenderSettings = Field(description="Sender of the emails.")
    postal_address: MultilineText | None = Field(
        default=None,
        description="Shown in every issue's footer; required by law in many countries.",
        examples=["Harbour Notes, 1 Quay St, Bergen"],
    )
    site_url: Annotated[str, AfterValidator(value_types.parse_base_url)] = Field(
        description="The newsletter's own site; relative links are resolved against it.",
        examples=["https://harbournotes.example"],
    )
    public_url: Annotated[str, AfterValidator(value_types.parse_base_url)] | None = Field(
        default=None,
        description="Public address of `newsletter serve`: unsubscribe, preferences.",
        examples=["https://news.harbournotes.example"],
    )
    issue_url: Annotated[str, AfterValidator(value_types.parse_issue_url_pattern)] | None = Field(
        default=None,
        description="URL of an issue on the web; `{slug}` is the folder's name without its date.",
        examples=["https://harbournotes.example/{slug}"],
    )
    image_url: Annotated[str, AfterValidator(value_types.parse_image_url_pattern)] | None = Field(
        default=None,
        description="URL of an issue's published images; `{file}` is the path in its folder.",
        examples=["https://harbournotes.example/{slug}/{file}"],
    )
    timezone: Annotated[str, AfterValidator(value_types.parse_timezone)] = Field(
        default="UTC",
        description="Time zone in which times are entered and shown (IANA).",
        examples=["Europe/Oslo"],
    )
    attributes: dict[AttributeName, str] = Field(
        default={},
        description="Subscriber attributes that posts may use, each with its default text.",
        examples=[{"name": "friend", "city": "your town"}],
    )
    segments: dict[SegmentName, MultilineText] = Field(
        default={},
        description="Named queries; `send --segment NAME` sends to the subscribers that match.",
        examples=[{"regulars": "opened:last-5 and not tag:press"}],
    )
    blog: BlogSettings = Field(
        default=BlogSettings(), description="The blog that posts are imported from."
    )
    theme: Theme = Field(default=Theme(), description="Design of the emails.")
    tracking: Annotated[
        TrackingOptions,
        BeforeValidator(
            parse_tracking, json_schema_input_type=TrackingMode | bool | TrackingOptions
        ),
    ] = Field(
        default=TrackingOptions(),
        description="Whose opens and clicks SendGrid records: no one's (`off`), those of readers "
        "who have agreed (`ask`), or everyone's (`all`; in some countries that takes each "
        "reader's consent). `tracking: ask` sets both.",
    )
    utm: UtmSettings = Field(
        default=UtmSettings(), description="Parameters added to links to the newsletter's own site."
    )
    footer_links: tuple[FooterLink, ...] = Field(
        default=(), description="Links in the footer of every issue."
    )
    sendgrid: SendGridSettings = Field(
        default=SendGridSettings(), description="Options of SendGrid's API."
    )
    public: PublicSiteSettings = Field(
        default=PublicSiteSettings(), description="Options of `newsletter serve`."
    )
    signup: SignupSettings = Field(default=SignupSettings(), description="How readers sign up.")
    preferences: PreferencesSettings = Field(
        default=PreferencesSettings(),
        description="What readers may choose on their preferences page.",
    )
    archive: ArchiveSettings = Field(
        default=ArchiveSettings(), description="Sent issues on the web."
    )
    publish: PublishSettings = Field(
        default=PublishSettings(), description="How exported files get to your web host."
    )
    notify: NotifySettings = Field(
        default=NotifySettings(), description="Who is notified about a send that nobody watches."
    )
    database: Annotated[str, AfterValidator(value_types.parse_database_url)] = Field(
        default="sqlite:///newsletter.db",
        description="SQLite file or PostgreSQL; `NEWSLETTER_DATABASE` overrides it.",
        examples=["postgresql://user@host/newsletter"],
    )
    limits: Limits = Field(
        default=Limits(), description="Limits on the size of input and requests."
    )
    text_links: Literal["numbered", "inline"] = Field(
        default="numbered", description="How the text part shows the URLs of links."
    )
    # Segments are parsed later, against the list; their error messages need the line.
    _segment_lines: dict[str, int] = PrivateAttr(default={})

    def get_segment_line(self, name: str) -> int | None:
        """Return a segment's line in newsletter.yml; ``None`` if it was not read from a file."""
        return self._segment_lines.get(name)
