"""Settings of the design: colours, fonts, sizes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo

from newsletter.config.base_model import StrictModel
from newsletter.config.value_types import parse_font_stack, parse_https_url

FontStack = Annotated[str, AfterValidator(parse_font_stack)]
HexColor = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#1f5f8b"])]


class Palette(StrictModel):
    """Colours as ``#rrggbb``; those that are not set keep their defaults."""

    # Missing colours are filled in before validation, so the JSON Schema must not require them.
    model_config = ConfigDict(json_schema_extra={"required": []})

    ground: HexColor = Field(description="Background around the email.")
    surface: HexColor = Field(description="Background of the email itself.")
    text: HexColor = Field(description="Text.")
    muted: HexColor = Field(description="Small print, captions, dates.")
    accent: HexColor = Field(description="Links and the button.")
    on_accent: HexColor = Field(description="Text on the button.")
    hairline: HexColor = Field(description="Thin lines and borders.")
    code_ground: HexColor = Field(description="Background of code.")


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
    def complete(value: object) -> object:
        return {**default_palette.model_dump(), **value} if isinstance(value, dict) else value

    return BeforeValidator(complete)


class Fonts(StrictModel):
    """CSS font stacks of system fonts, so that nothing is loaded from a third party."""

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


def _require_logo(masthead: str, info: ValidationInfo) -> str:
    if masthead == "image" and info.data.get("logo", "") is None:
        raise ValueError("'image' shows theme.logo, which is not set")
    return masthead


class Theme(StrictModel):
    """Design of the emails."""

    template: str = Field(
        default="issue",
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="The design: `issue`, `magazine`, `plain`, or one of your own. `issue` is "
        "`templates/issue.mjml` and its `issue.css` (or `article.css`).",
    )
    light: Annotated[Palette, _fill_missing_colors(LIGHT)] = Field(
        default=LIGHT, description="Colours in light mode."
    )
    dark: Annotated[Palette, _fill_missing_colors(DARK)] = Field(
        default=DARK, description="Colours in dark mode."
    )
    fonts: Fonts = Field(default=Fonts(), description="CSS font stacks.")
    width: int = Field(default=620, ge=480, le=800, description="Width of the column in pixels.")
    radius: int = Field(default=4, ge=0, le=32, description="Corner radius in pixels.")
    logo: Annotated[str, AfterValidator(parse_https_url)] | None = Field(
        default=None,
        description="URL of the logo in the header; without one, the name is shown as text.",
        examples=["https://harbournotes.example/logo.png"],
    )
    logo_dark: Annotated[str, AfterValidator(parse_https_url)] | None = Field(
        default=None,
        description="URL of the logo for dark mode; mail clients without it show `logo`.",
        examples=["https://harbournotes.example/logo-dark.png"],
    )
    masthead: Annotated[Literal["centered", "left", "image"], AfterValidator(_require_logo)] = (
        Field(
            default="centered",
            description="Where the logo or the name is; `left` is the right in right-to-left text. "
            "`image` shows `logo` as a banner as wide as the email.",
        )
    )
    logo_width: int = Field(
        default=140,
        ge=1,
        le=800,
        description="Width of the logo in pixels; not of a banner (`masthead: image`).",
    )
    accent_rule: bool = Field(
        default=False, description="Whether a line in the accent colour runs along the top."
    )
