"""The part of ``newsletter.yml`` about the public site: pages, sign-up, preferences."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from newsletter.config import value_types
from newsletter.config.base_model import StrictModel

SingleLineText = Annotated[str, AfterValidator(value_types.parse_line)]
WebOrigin = Annotated[str, AfterValidator(value_types.parse_web_origin)]
IpNetwork = Annotated[str, AfterValidator(value_types.parse_network)]


class PublicSiteSettings(StrictModel):
    """How ``newsletter serve`` answers the world."""

    cors_origins: tuple[WebOrigin, ...] = Field(
        default=(),
        description="Sites whose pages may sign readers up through the JSON endpoint.",
        examples=[["https://harbournotes.example"]],
    )
    trusted_proxies: tuple[IpNetwork, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="Addresses or networks whose X-Forwarded-For and -Proto are believed.",
        examples=[["127.0.0.1", "10.0.0.0/8"]],
    )
    hsts: bool = Field(
        default=False,
        description="Tell browsers to come by HTTPS alone for a year (RFC 6797).",
    )
    frame_ancestors: tuple[WebOrigin, ...] = Field(
        default=(), description="Sites that may show the pages in a frame; none by default."
    )


class SignupSettings(StrictModel):
    """How readers join."""

    double_opt_in: bool = Field(
        default=True,
        description="A reader confirms by mail. Without it, anybody can sign anybody up.",
    )
    welcome: bool = Field(default=False, description="Send `templates/welcome.mjml` afterwards.")
    wording: SingleLineText | None = Field(
        default=None,
        description="What readers agree to; the journal keeps it. The template's own if not given.",
        examples=["Yes, send me Harbour Notes every week by email."],
    )
    confirm_days: int = Field(
        default=7, ge=1, le=60, description="Days for which a confirmation link is good."
    )
    window_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        description="At most one confirmation mail goes to an address in so many hours.",
    )
    least_seconds: float = Field(
        default=2.0, ge=0, le=60, description="A form that comes back sooner was not read."
    )
    per_ip_hour: int = Field(
        default=30, ge=1, description="Sign-ups an hour from one internet address."
    )
    per_address_day: int = Field(
        default=5, ge=1, description="Sign-ups a day for one mailbox, whatever its spelling."
    )
    per_hour: int = Field(default=1_000, ge=1, description="Sign-ups an hour, all together.")


class PreferencesSettings(StrictModel):
    """What readers may choose on their page."""

    tags: dict[SingleLineText, SingleLineText] = Field(
        default={},
        description="Tags that readers may put on themselves, each with what the page says.",
        examples=[{"weekly": "The letter of every week", "press": "News for the press"}],
    )


ArchiveListing = Literal["listed", "unlisted", "private"]


class ArchiveSettings(StrictModel):
    """The sent issues on the web."""

    listing: ArchiveListing = Field(
        default="listed",
        description="How an issue appears unless its front matter says: unlisted ones have a "
        "page that no index names, private ones have none.",
    )
