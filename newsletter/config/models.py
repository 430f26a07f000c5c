"""The shape of ``newsletter.yml``: frozen models with the defaults of every setting."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#1f5f8b"])]
Pixels = Annotated[int, Field(ge=0, le=1280)]


class Strict(BaseModel):
    """Frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Sender(Strict):
    """Who the mail is from (RFC 5322 ``From`` and ``Reply-To``)."""

    name: str = Field(min_length=1, examples=["Harbour Notes"])
    address: str = Field(examples=["editor@harbournotes.example"])
    reply_to: str | None = Field(default=None, examples=["hello@harbournotes.example"])


class Palette(Strict):
    """The colours of one scheme, light or dark, as ``#rrggbb``."""

    ground: Colour
    surface: Colour
    text: Colour
    muted: Colour
    accent: Colour
    on_accent: Colour
    hairline: Colour
    code_ground: Colour


LIGHT = Palette(
    ground="#f4f2ee",
    surface="#ffffff",
    text="#1f2328",
    muted="#667079",
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


class Fonts(Strict):
    """CSS font stacks; system fonts, so that nothing is loaded from a third party."""

    heading: str = "Georgia, 'Iowan Old Style', 'Palatino Linotype', 'Times New Roman', serif"
    body: str = "Georgia, 'Iowan Old Style', 'Palatino Linotype', 'Times New Roman', serif"
    small: str = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
    code: str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Courier New', monospace"


class Theme(Strict):
    """How the mail looks.

    ``template`` names ``templates/<template>.mjml`` and ``templates/<template>.css``
    (``article.css`` where that file does not exist).
    """

    template: str = Field(default="issue", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    light: Palette = LIGHT
    dark: Palette = DARK
    fonts: Fonts = Fonts()
    width: Annotated[int, Field(ge=480, le=800)] = 620
    radius: Annotated[int, Field(ge=0, le=32)] = 4
    logo: str | None = Field(default=None, examples=["https://harbournotes.example/logo.png"])
    logo_width: Pixels = 140


class Tracking(Strict):
    """What SendGrid may record of readers; off unless the editor says so."""

    opens: bool = False
    clicks: bool = False


class Utm(Strict):
    """Parameters put on links to the newsletter's own site; ``{slug}`` is the issue's slug."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None


class FooterLink(Strict):
    """A link in the footer of every issue."""

    text: str = Field(min_length=1)
    url: str = Field(examples=["https://harbournotes.example/about"])


class SendGrid(Strict):
    """Options of the vendor's API. The key is never here: ``SENDGRID_API_KEY`` alone holds it."""

    region: Literal["global", "eu"] = "global"
    host: str | None = Field(default=None, examples=["http://127.0.0.1:8025"])
    asm_group: int | None = Field(default=None, ge=1)
    categories: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = Field(
        default=(), max_length=10
    )
    personalize: Literal["substitutions", "per_request"] = "substitutions"
    sandbox: bool = False
    connect_timeout: Annotated[float, Field(gt=0, le=120)] = 10.0
    read_timeout: Annotated[float, Field(gt=0, le=600)] = 60.0


class Limits(Strict):
    """Guards against runaway input; raise one when you know why."""

    post_bytes: Annotated[int, Field(ge=1_000)] = 10_000_000
    image_bytes: Annotated[int, Field(ge=1_000)] = 10_000_000
    batch_size: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    request_bytes: Annotated[int, Field(ge=10_000, le=30_000_000)] = 20_000_000


class Config(Strict):
    """``newsletter.yml``, whole."""

    name: str = Field(min_length=1, examples=["Harbour Notes"])
    description: str = ""
    language: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    direction: Literal["ltr", "rtl", "auto"] = "auto"
    sender: Sender
    postal_address: str | None = Field(default=None, examples=["Harbour Notes, 1 Quay St, Bergen"])
    site_url: str = Field(examples=["https://harbournotes.example"])
    public_url: str | None = Field(default=None, examples=["https://news.harbournotes.example"])
    issue_url: str | None = Field(default=None, examples=["https://harbournotes.example/{slug}"])
    image_url: str | None = Field(
        default=None, examples=["https://harbournotes.example/{slug}/{file}"]
    )
    timezone: str = Field(default="UTC", examples=["Europe/Oslo"])
    attributes: dict[str, str] = Field(
        default={},
        description="Attributes of subscribers that posts may use, each with its default text.",
        examples=[{"name": "friend", "city": "your town"}],
    )
    theme: Theme = Theme()
    tracking: Tracking = Tracking()
    utm: Utm = Utm()
    footer_links: tuple[FooterLink, ...] = ()
    sendgrid: SendGrid = SendGrid()
    database: str = Field(
        default="sqlite:///newsletter.db", examples=["postgresql+psycopg://user@host/newsletter"]
    )
    limits: Limits = Limits()
    text_links: Literal["numbered", "inline"] = "numbered"
