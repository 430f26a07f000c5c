"""The plan that a pull request approves: its fields and its checksum.

It binds what is sent by SHA-256, and names how many readers there are. It has no reader's address
and no secret, since it is committed. Who gets the issue is chosen when it is sent.
"""

import datetime
import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from newsletter.config import Config

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class _ApprovalModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ApprovedSegment(_ApprovalModel):
    """The segment that the issue goes to: its query, and its name if newsletter.yml has it."""

    name: str
    query: str


class ApprovedReaders(_ApprovalModel):
    """How many readers the issue would go to, and how many are left out, by reason."""

    count: Count
    left_out: dict[str, Count]


class ApprovedFindings(_ApprovalModel):
    """How many warnings and hints the checks have, and why the editor allows others."""

    warnings: Count
    hints: Count
    allowed: dict[str, str]


class ApprovedEmail(_ApprovalModel):
    """The checksums of the rendered email: all that a reader sees, and three of its parts."""

    content: Sha256
    html: Sha256
    text: Sha256
    headers: Sha256


class ApprovalPlan(_ApprovalModel):
    """All fields of the file, less its checksum, in their order.

    Attributes:
        newsletter_plan: the version of the format.
        newsletter: the newsletter's id.
        issue: the issue's name.
        subject: with merge tags as the editor wrote them.
        preheader: with merge tags as the editor wrote them.
        sender: name and address.
        reply_to: an address; empty if it is the sender's.
        topic: the issue's topic; empty for everybody.
        segment: the segment; ``None`` for the whole list.
        repeat_article: whether it may go to readers who got the article as another issue.
        readers: how many there were when it was written.
        checks: what ``newsletter check`` found.
        email: the checksums of the email.
        files: path of the post and of each image -> checksum.
        templates: path of each template, style sheet and words file that is used -> checksum.
        settings: each setting of newsletter.yml that changes what is sent, and isn't the default.
        version: the program's version.
        made: when it was written.
    """

    newsletter_plan: Literal[1] = 1
    newsletter: str
    issue: Annotated[str, Field(min_length=1)]
    subject: str
    preheader: str
    sender: str
    reply_to: str
    topic: str
    segment: ApprovedSegment | None
    repeat_article: bool
    readers: ApprovedReaders
    checks: ApprovedFindings
    email: ApprovedEmail
    files: dict[str, Sha256]
    templates: dict[str, Sha256]
    settings: dict[str, JsonValue]
    version: str
    made: datetime.date

    def get_segment_option(self, config: Config) -> str:
        """Return the segment as an editor would give it: its name while there is one, or its query.

        Args:
            config: the newsletter's settings as they are now.
        """
        if self.segment is None:
            return ""
        is_named = self.segment.name in config.segments
        return self.segment.name if is_named else self.segment.query

    def as_data(self) -> dict[str, Any]:
        """Return the fields, and the checksum over them, as values that JSON has."""
        fields = self.model_dump(mode="json")
        return {**fields, "checksum": compute_approval_checksum(fields)}


def compute_approval_checksum(fields: dict[str, Any]) -> str:
    """Return the SHA-256 of the fields of a plan, whatever their order in the file."""
    return compute_text_checksum(json.dumps(fields, sort_keys=True))


def compute_text_checksum(text: str) -> str:
    """Return the SHA-256 of a text; a line may end with CR and LF, as Git writes it on Windows."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()
