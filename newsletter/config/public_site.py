"""Settings of the public site: server, sign-up, preferences, archive."""

from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from newsletter.config import value_types
from newsletter.config.base_model import StrictModel
from newsletter.errors import Problem

SingleLineText = Annotated[str, AfterValidator(value_types.parse_line)]
WebOrigin = Annotated[str, AfterValidator(value_types.parse_web_origin)]
TopicKey = Annotated[str, AfterValidator(value_types.parse_topic_key)]
IpNetwork = Annotated[str, AfterValidator(value_types.parse_network)]


class PublicSiteSettings(StrictModel):
    """Options of ``newsletter serve``, the public web server."""

    cors_origins: tuple[WebOrigin, ...] = Field(
        default=(),
        description="Sites whose pages may use the JSON endpoint for sign-ups.",
        examples=[["https://harbournotes.example"]],
    )
    trusted_proxies: tuple[IpNetwork, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="Addresses or networks whose X-Forwarded-For and -Proto headers are trusted.",
        examples=[["127.0.0.1", "10.0.0.0/8"]],
    )
    hsts: bool = Field(
        default=False,
        description="Tell browsers to use only HTTPS for a year (RFC 6797).",
    )
    frame_ancestors: tuple[WebOrigin, ...] = Field(
        default=(), description="Sites that may embed the pages in a frame; none by default."
    )


class SignupSettings(StrictModel):
    """How readers sign up."""

    double_opt_in: bool = Field(
        default=True,
        description="Readers confirm by email. Without it, anybody can sign anybody up.",
    )
    welcome: bool = Field(
        default=False,
        description="Send a welcome email after the sign-up; its text is `templates/welcome.md`.",
    )
    wording: SingleLineText | None = Field(
        default=None,
        description="Consent text that readers agree to; kept in the consent journal. The "
        "template's own if not set.",
        examples=["Yes, send me Harbour Notes every week by email."],
    )
    frequency: SingleLineText | None = Field(
        default=None,
        description="How often issues come, as the sign-up page says it.",
        examples=["Every Tuesday"],
    )
    show_readers: bool = Field(
        default=False,
        description="Whether the sign-up page says how many readers there are, rounded down; it "
        "doesn't below 100.",
    )
    ask_name: bool = Field(
        default=True,
        description="Whether the sign-up page asks for the name, which readers may leave out.",
    )
    confirm_days: int = Field(
        default=7, ge=1, le=60, description="Days for which a confirmation link is valid."
    )
    purge_days: int = Field(
        default=30,
        ge=1,
        le=3_650,
        description="Days after which sign-ups that were never confirmed are deleted; at least "
        "`confirm_days`.",
    )
    window_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        description="Hours in which an address gets at most one confirmation email.",
    )
    least_seconds: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="Seconds before a form may be submitted; bots are faster.",
    )
    per_ip_hour: int = Field(default=30, ge=1, description="Sign-ups per hour from one IP address.")
    per_address_day: int = Field(
        default=5,
        ge=1,
        description="Emails per day to one mailbox, however it is spelled, that anybody can "
        "request: to confirm a sign-up, a change of address, a download or an erasure.",
    )
    per_hour: int = Field(default=1_000, ge=1, description="Sign-ups per hour in total.")

    @field_validator("purge_days")
    @classmethod
    def _outlive_links(cls, days: int, info: ValidationInfo) -> int:
        """Reject fewer days than a link is valid; the default gives way to ``confirm_days``."""
        confirm_days = info.data.get("confirm_days", 0)
        if days < confirm_days:
            raise ValueError(f"{days} is less than confirm_days, which is {confirm_days}")
        return days


UNKNOWN_TOPIC_REMEDY = "Use a topic of preferences.topics in newsletter.yml, or add it there."


class PreferencesSettings(StrictModel):
    """Choices on the preferences page."""

    topics: dict[TopicKey, SingleLineText] = Field(
        default={},
        description="Kinds of issues that readers may opt out of, each with its label on the page; "
        "an issue names its own with `topic` in its front matter. Readers get each topic until "
        "they opt out. The key is what is stored: change the label, not the key.",
        examples=[{"weekly": "The weekly issue", "events": "Invitations"}],
    )
    tags: dict[SingleLineText, SingleLineText] = Field(
        default={},
        description="Tags that readers may choose, each with its label on the page.",
        examples=[{"sailing": "Sailing", "press": "News for the press"}],
    )

    @field_validator("topics")
    @classmethod
    def _reject_same_keys(cls, topics: dict[str, str]) -> dict[str, str]:
        """Reject keys that differ only in their case: to readers' choices they are the same."""
        spellings: dict[str, str] = {}
        for key in topics:
            if (other := spellings.setdefault(key.casefold(), key)) != key:
                raise ValueError(f"'{other}' and '{key}' are the same topic")
        return topics

    def find_topic_problem(self, topic: str) -> Problem | None:
        """Return the problem that an issue's topic isn't one of these; without a location."""
        if not topic or topic in self.topics:
            return None
        by_spelling = {key.casefold(): key for key in self.topics}
        if near := get_close_matches(topic.casefold(), by_spelling, n=1):
            known = f"; did you mean '{by_spelling[near[0]]}'?"
        elif self.topics:
            known = f"; it has {', '.join(self.topics)}"
        else:
            known = ""
        return Problem(f"newsletter.yml has no topic '{topic}'{known}", remedy=UNKNOWN_TOPIC_REMEDY)


ArchiveListing = Literal["listed", "unlisted", "private"]


# In ``publish.command``; replaced by the absolute path of the folder.
FOLDER_PLACEHOLDER = "{folder}"


def split_command(value: object) -> object:
    """Split a command that is given as text, as a shell would, but expand nothing."""
    return value_types.parse_command(value) if isinstance(value, str) else value


class PublishSettings(StrictModel):
    """How `newsletter archive --publish` puts the exported folder on your web host."""

    command: Annotated[
        tuple[Annotated[str, AfterValidator(value_types.parse_command_part)], ...],
        BeforeValidator(split_command, json_schema_input_type=str | tuple[str, ...]),
    ] = Field(
        default=(),
        description="The program and its arguments, run without a shell in the project's folder, "
        "and only by `--publish`; `{folder}` is the folder's absolute path. Secrets must be in the "
        "environment.",
        examples=[["rsync", "--archive", "{folder}/", "web@harbournotes.example:letters/"]],
    )
    timeout: float = Field(
        default=300.0, gt=0, le=86_400, description="Seconds after which the command is killed."
    )


class ArchiveSettings(StrictModel):
    """The sent issues on the web."""

    listing: ArchiveListing = Field(
        default="listed",
        description="Visibility of issues whose front matter doesn't set it: unlisted issues have "
        "a page that no index links to, private ones have none.",
    )
