"""A running webhook, and requests signed as SendGrid signs them."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.db import read_transaction
from newsletter.db.schema import event, unreadable_event
from newsletter.project import open_project
from newsletter.sending.providers.sendgrid.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER
from newsletter.web.rehearsal_site import serve_rehearsal_site
from newsletter.web.sendgrid_webhook import WEBHOOK_PATH

SECRET = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    SECRET.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
JSON = {"Content-Type": "application/json"}

JsonResponse = tuple[int, Any]


@dataclass
class WebhookServer:
    """A running server, its database, and what SendGrid posts to it."""

    url: str
    engine: sa.Engine

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> JsonResponse:
        response = urllib3.request(
            "POST",
            self.url + WEBHOOK_PATH,
            body=body,
            headers={**JSON, **(headers or {})},
            retries=False,
            timeout=60,
        )
        return response.status, response.json()

    def post_signed(self, body: bytes, age: int = 0) -> JsonResponse:
        return self.post(body, sign(body, age))

    def count_events(self) -> int:
        with read_transaction(self.engine) as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(event)).scalar_one()

    def load_unreadable(self) -> list[tuple[bytes, str]]:
        """Return what is kept without being understood, and why it is not."""
        table = unreadable_event
        with read_transaction(self.engine) as connection:
            rows = connection.execute(sa.select(table.c.body, table.c.reason).order_by(table.c.id))
            return [(body, reason) for body, reason in rows]


def sign(body: bytes, age: int = 0, secret: ec.EllipticCurvePrivateKey = SECRET) -> Any:
    timestamp = str(int(time.time()) - age)
    signature = secret.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return {SIGNATURE_HEADER: base64.b64encode(signature).decode(), TIMESTAMP_HEADER: timestamp}


def make_event(id_: str = "e1", kind: str = "spamreport", **fields: Any) -> dict[str, Any]:
    required = {"sg_event_id": id_, "event": kind, "timestamp": int(time.time())}
    return {**required, "email": "ada@example.com", **fields}


def make_body(*events: object) -> bytes:
    return json.dumps(events).encode()


def serve_webhook(folder: Path, engine: sa.Engine, settings: str) -> Iterator[WebhookServer]:
    with (folder / "newsletter.yml").open("a") as config:
        config.write(f"public_url: https://news.harbournotes.example\nsendgrid:\n  {settings}\n")
    with serve_rehearsal_site(open_project(), engine) as url:
        yield WebhookServer(url, engine)


@pytest.fixture
def webhook(project_folder: Path, engine: sa.Engine) -> Iterator[WebhookServer]:
    yield from serve_webhook(project_folder, engine, f"webhook_key: {PUBLIC}")
