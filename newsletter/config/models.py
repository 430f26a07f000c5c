"""The shape of ``newsletter.yml``: frozen models with the defaults of every setting."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PrivateAttr

from newsletter.config import value_types
from newsletter.config.base_model import StrictModel
from newsletter.config.public_site import (
    ArchiveSettings,
    PreferencesSettings,
    PublicSiteSettings,
    SignupSettings,
)

SingleLineText = Annotated[str, AfterValidator(value_types.parse_line)]
MultilineText = Annotated[str, AfterValidator(value_types.parse_lines)]
EmailAddress = Annotated[str, AfterValidator(value_types.parse_sender_address)]
HttpsUrl = Annotated[str, AfterValidator(value_types.parse_https_url)]
UtmValue = Annotated[str, AfterValidator(value_types.parse_utm_value)]
FontStack = Annotated[str, AfterValidator(value_types.parse_font_stack)]
AttributeName = Annotated[str, AfterValidator(value_types.parse_attribute_name)]
SegmentName = Annotated[str, AfterValidator(value_types.parse_segment_name)]
HexColor = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#1f5f8b"])]


class SenderSettings(StrictModel):
    """Who the mail is from (RFC 5322 ``From`` and ``Reply-To``)."""

    name: SingleLineText = Field(
        description="The name that readers see in their inbox.", examples=["Harbour Notes"]
    )
    address: EmailAddress = Field(
        description="The address it comes from, verified at SendGrid.",
        examples=["editor@harbournotes.example"],
    )
    reply_to: EmailAddress | None = Field(
        default=None,
        description="Where answers go; the address itself if not given.",
        examples=["hello@harbournotes.example"],
    )


class Palette(StrictModel):
    """The colours of one scheme as ``#rrggbb``; those that are not given keep the default."""

    # A palette in the file is completed before it is checked, so an editor must not ask for all.
    model_config = ConfigDict(json_schema_extra={"required": []})

    ground: HexColor = Field(description="Around the letter.")
    surface: HexColor = Field(description="The letter itself.")
    text: HexColor = Field(description="Text on the letter.")
    muted: HexColor = Field(description="Small print, captions, dates.")
    accent: HexColor = Field(description="Links and the button.")
    on_accent: HexColor = Field(description="Text on the button.")
    hairline: HexColor = Field(description="Thin lines and borders.")
    code_ground: HexColor = Field(description="Behind code.")


LIGHT = Palette(
    ground="#f4f2ee",
    surface="#ffffff",
    text="#1f2328",
    muted="#5f6870",
    accent="#1f5f8b",
    on_accent="#ffffff",
    hairline="#e3dfd8",
    code_ground="#f6f4f0",
)
DARK = Palette(
    ground="#101214",
    surface="#17191c",
    text="#e4e1dc",
    muted="#9aa3ab",
    accent="#7cb8e0",
    on_accent="#0e1113",
    hairline="#33383d",
    code_ground="#1f2226",
)


def _fill_missing_colors(default_palette: Palette) -> BeforeValidator:
    def complete(given: object) -> object:
        return {**default_palette.model_dump(), **given} if isinstance(given, dict) else given

    return BeforeValidator(complete)


class Fonts(StrictModel):
    """CSS font stacks; system fonts, so that nothing is loaded from a third party."""

    heading: FontStack = Field(
        default="Georgia, 'Iowan Old Style', 'Palatino Linotype', 'Times New Roman', serif",
        description="Title and headings.",
    )
    body: FontStack = Field(
        default="Georgia, 'Iowan Old Style', 'Palatino Linotype', 'Times New Roman', serif",
        description="The article.",
    )
    small: FontStack = Field(
        default="'Segoe UI', -apple-system, Roboto, 'Helvetica Neue', Arial, sans-serif",
        description="Byline, captions, footer, button.",
    )
    code: FontStack = Field(
        default="Consolas, ui-monospace, Menlo, 'DejaVu Sans Mono', 'Courier New', monospace",
        description="Code.",
    )


class Theme(StrictModel):
    """How the mail looks."""

    template: str = Field(
        default="issue",
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="The design: `issue` is `templates/issue.mjml` and its `issue.css` (or "
        "`article.css`).",
    )
    light: Annotated[Palette, _fill_missing_colors(LIGHT)] = Field(
        default=LIGHT, description="Colours on a light screen."
    )
    dark: Annotated[Palette, _fill_missing_colors(DARK)] = Field(
        default=DARK, description="Colours on a dark screen."
    )
    fonts: Fonts = Field(default=Fonts(), description="CSS font stacks.")
    width: int = Field(default=620, ge=480, le=800, description="The column's width in pixels.")
    radius: int = Field(default=4, ge=0, le=32, description="Radius of corners in pixels.")
    logo: HttpsUrl | None = Field(
        default=None,
        description="URL of the masthead's logo; without one, the name is set in type.",
        examples=["https://harbournotes.example/logo.png"],
    )
    logo_width: int = Field(default=140, ge=1, le=800, description="The logo's width in pixels.")


class TrackingOptions(StrictModel):
    """What SendGrid may record of readers; off unless the editor says so."""

    opens: bool = Field(default=False, description="Record who opens an issue.")
    clicks: bool = Field(default=False, description="Record who follows which link.")


class UtmSettings(StrictModel):
    """Parameters put on links to the newsletter's own site; ``{slug}`` is the issue's slug."""

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

    text: SingleLineText = Field(description="What the link says.", examples=["About"])
    url: Annotated[str, AfterValidator(value_types.parse_link_url)] = Field(
        description="Where it leads: https, http or mailto.",
        examples=["https://harbournotes.example/about"],
    )


class SendGridSettings(StrictModel):
    """Options of the vendor's API. The key is never here: ``SENDGRID_API_KEY`` alone holds it."""

    region: Literal["global", "eu"] = Field(
        default="global", description="Where SendGrid keeps the account's data."
    )
    host: Annotated[str, AfterValidator(value_types.parse_api_host)] | None = Field(
        default=None,
        description="Another server that speaks SendGrid's API; `SENDGRID_HOST` wins over it.",
        examples=["http://127.0.0.1:8025"],
    )
    asm_group: int | None = Field(
        default=None,
        ge=1,
        description="SendGrid's unsubscribe group, for when there is no public_url.",
        examples=[12345],
    )
    categories: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = Field(
        default=(),
        max_length=10,
        description="Names for SendGrid's own statistics.",
        examples=[["harbour-notes"]],
    )
    personalize: Literal["substitutions", "per_request"] = Field(
        default="substitutions",
        description="Merge tags filled in by SendGrid, or here with one request a reader (slow).",
    )
    webhook_key: Annotated[str, AfterValidator(value_types.parse_webhook_key)] | None = Field(
        default=None,
        description="The public key of the Signed Event Webhook, as SendGrid shows it.",
        examples=["MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE…"],
    )
    webhook_unsigned: bool = Field(
        default=False,
        description="Believe events that nobody has signed: anybody could then send them.",
    )
    sandbox: bool = Field(default=False, description="SendGrid checks requests, delivers nothing.")
    connect_timeout: float = Field(
        default=10.0, gt=0, le=120, description="Seconds to wait for a connection."
    )
    read_timeout: float = Field(
        default=60.0, gt=0, le=600, description="Seconds to wait for an answer."
    )


class Limits(StrictModel):
    """Guards against runaway input; raise one when you know why."""

    post_bytes: int = Field(
        default=10_000_000, ge=1_000, description="Largest post file, in bytes."
    )
    image_bytes: int = Field(
        default=10_000_000, ge=1_000, description="Largest image file, in bytes."
    )
    list_bytes: int = Field(
        default=1_000_000_000,
        ge=1_000,
        description="Largest files of readers in a ZIP, together, unpacked, in bytes.",
    )
    batch_size: int = Field(
        default=1_000, ge=1, le=1_000, description="Readers in one request to SendGrid."
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
        description="Mails in a row that a reader's server turned away before we mail no more.",
    )


class Config(StrictModel):
    """The settings of a newsletter: ``newsletter.yml``, whole."""

    name: SingleLineText = Field(description="The newsletter's name.", examples=["Harbour Notes"])
    description: Annotated[str, AfterValidator(value_types.parse_optional_line)] = Field(
        default="",
        description="What it is, in a sentence; tells readers why they get it.",
        examples=["A weekly letter from the quay."],
    )
    language: Annotated[str, AfterValidator(value_types.parse_language_tag)] = Field(
        default="en",
        description="Language of the issues that don't name their own (BCP 47).",
        examples=["en-GB"],
    )
    direction: Literal["ltr", "rtl", "auto"] = Field(
        default="auto", description="Direction of the text; auto follows the language."
    )
    sender: SenderSettings = Field(description="Who the mail is from.")
    postal_address: MultilineText | None = Field(
        default=None,
        description="In every issue's footer; the law of many countries wants it.",
        examples=["Harbour Notes, 1 Quay St, Bergen"],
    )
    site_url: Annotated[str, AfterValidator(value_types.parse_base_url)] = Field(
        description="The newsletter's own site; relative links are resolved against it.",
        examples=["https://harbournotes.example"],
    )
    public_url: Annotated[str, AfterValidator(value_types.parse_base_url)] | None = Field(
        default=None,
        description="Where `newsletter serve` answers: unsubscribe, preferences.",
        examples=["https://news.harbournotes.example"],
    )
    issue_url: Annotated[str, AfterValidator(value_types.parse_issue_url_pattern)] | None = Field(
        default=None,
        description="An issue on the web; `{slug}` is the folder's name without its date.",
        examples=["https://harbournotes.example/{slug}"],
    )
    image_url: Annotated[str, AfterValidator(value_types.parse_image_url_pattern)] | None = Field(
        default=None,
        description="Where an issue's images are published; `{file}` is the path in its folder.",
        examples=["https://harbournotes.example/{slug}/{file}"],
    )
    timezone: Annotated[str, AfterValidator(value_types.parse_timezone)] = Field(
        default="UTC",
        description="Zone in which times are given and shown (IANA).",
        examples=["Europe/Oslo"],
    )
    attributes: dict[AttributeName, str] = Field(
        default={},
        description="Attributes of subscribers that posts may use, each with its default text.",
        examples=[{"name": "friend", "city": "your town"}],
    )
    segments: dict[SegmentName, MultilineText] = Field(
        default={},
        description="Queries by name; `send --segment NAME` sends to whom one finds.",
        examples=[{"regulars": "opened:last-5 and not tag:press"}],
    )
    theme: Theme = Field(default=Theme(), description="How the mail looks.")
    tracking: TrackingOptions = Field(
        default=TrackingOptions(), description="What may be recorded of readers."
    )
    utm: UtmSettings = Field(
        default=UtmSettings(), description="Parameters put on links to the own site."
    )
    footer_links: tuple[FooterLink, ...] = Field(
        default=(), description="Links in the footer of every issue."
    )
    sendgrid: SendGridSettings = Field(
        default=SendGridSettings(), description="Options of SendGrid's API."
    )
    public: PublicSiteSettings = Field(
        default=PublicSiteSettings(), description="How `newsletter serve` answers."
    )
    signup: SignupSettings = Field(default=SignupSettings(), description="How readers join.")
    preferences: PreferencesSettings = Field(
        default=PreferencesSettings(), description="What readers may choose for themselves."
    )
    archive: ArchiveSettings = Field(
        default=ArchiveSettings(), description="Sent issues on the web."
    )
    database: Annotated[str, AfterValidator(value_types.parse_database_url)] = Field(
        default="sqlite:///newsletter.db",
        description="SQLite file or PostgreSQL; `NEWSLETTER_DATABASE` wins over it.",
        examples=["postgresql://user@host/newsletter"],
    )
    limits: Limits = Field(default=Limits(), description="Guards against runaway input.")
    text_links: Literal["numbered", "inline"] = Field(
        default="numbered", description="How the text part shows where links lead."
    )
    # Queries are read later than the file, by those who know the list.
    _segment_lines: dict[str, int] = PrivateAttr(default={})

    def get_segment_line(self, name: str) -> int | None:
        """The line of a named segment in newsletter.yml; ``None`` if not read from a file."""
        return self._segment_lines.get(name)
