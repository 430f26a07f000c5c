"""HTTP client for SendGrid: timeouts, pooled connections, the API key.

It keeps the official client's interface and replaces its transport: the stock one has no timeout,
opens a connection for each call, and can log the key.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import python_http_client
import sendgrid
import urllib3

from newsletter.config.models import SendGridSettings
from newsletter.errors import ConfigError
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.scheduled_sends import cancel_scheduled, create_batch_id

API_KEY_VARIABLE = "SENDGRID_API_KEY"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_RESPONSE_BYTES = 65_536
# Each chunk must be written within the connect timeout: 10 s for this much is 6.5 kB/s.
CHUNK_BYTES = 65_536
# SendGrid, like most servers, closes idle connections; a connection dropped mid-write leaves the
# outcome unknown.
MAX_IDLE_SECONDS = 5.0

# The debug messages of the official client contain the key and the whole body.
logging.getLogger("python_http_client").disabled = True
logging.getLogger("python_http_client.client").disabled = True


class _RequestBody:
    """A request body that records whether all of it has been handed to the network."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.fully_sent = False

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), CHUNK_BYTES):
            yield self._body[start : start + CHUNK_BYTES]
        # The connection asks for the next chunk only when the socket has taken the last one.
        self.fully_sent = True


class _PooledClient(python_http_client.Client):  # type: ignore[misc]
    """The official HTTP client with pre-encoded bodies and a connection pool."""

    def __init__(self, pool: urllib3.PoolManager, **settings: Any) -> None:
        super().__init__(**settings)
        self._pool = pool

    def _build_client(self, name: str | None = None) -> "_PooledClient":
        # The base class would create an instance of itself here, without the pool.
        return _PooledClient(
            self._pool,
            host=self.host,
            version=self._version,
            request_headers=self.request_headers,
            url_path=[*self._url_path, name] if name else self._url_path,
            append_slash=self.append_slash,
            timeout=self.timeout,
        )

    def post_bytes(self, body: bytes) -> Response | NoResponse:
        """POST JSON to this client's path, without retries or redirects."""
        outgoing = _RequestBody(body)
        headers = {
            **self.request_headers,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        try:
            response = self._pool.request(
                "POST",
                self._build_url(None),
                body=outgoing,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return NoResponse(outgoing.fully_sent, _describe_error(error))
        return _to_response(response, MAX_RESPONSE_BYTES)

    def get_bytes(self, query: Mapping[str, str], max_bytes: int) -> Response | NoResponse:
        """GET this client's path, without retries or redirects."""
        try:
            response = self._pool.request(
                "GET",
                self._build_url(query),
                headers=self.request_headers,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return NoResponse(request_sent=True, reason=_describe_error(error))
        return _to_response(response, max_bytes)


class _ThreadConnection(threading.local):
    """One connection per thread, so that its idle time is known; made on the thread's first use.

    Args:
        api_client: the official client.
        options: the timeouts.
        pools: the list to add the new connection pool to, so that all can be closed.
    """

    def __init__(
        self,
        api_client: sendgrid.SendGridAPIClient,
        options: SendGridSettings,
        pools: list[urllib3.PoolManager],
    ) -> None:
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=options.connect_timeout, read=options.read_timeout),
            retries=False,
        )
        pools.append(self._pool)
        self._client = _PooledClient(
            self._pool,
            host=api_client.host,
            request_headers=api_client.client.request_headers,
            version=3,
        )
        self._used = time.monotonic()

    @contextmanager
    def client_for(self, path: str) -> Iterator[_PooledClient]:
        """Yield a client for one call of ``path``, on a connection that is not stale."""
        if time.monotonic() - self._used > MAX_IDLE_SECONDS:
            self._pool.clear()
        yield self._client._(path)
        self._used = time.monotonic()


class SendGridClient:
    """Thread-safe client of one SendGrid account, with a connection per thread.

    Args:
        key: the API key.
        options: region or host, and timeouts.

    Raises:
        ConfigError: the key is not valid, or the host is neither https nor on this machine.
    """

    def __init__(self, key: str, options: SendGridSettings) -> None:
        self.host = api_host(options)
        self._pools: list[urllib3.PoolManager] = []
        api_client = sendgrid.SendGridAPIClient(_validate_key(key), host=self.host)
        self._connection = _ThreadConnection(api_client, options, self._pools)

    def post_mail(self, body: bytes) -> Response | NoResponse:
        """POST one body to ``/v3/mail/send``, once."""
        return self.post("mail/send", body)

    def get(self, path: str, query: Mapping[str, str], max_bytes: int) -> Response | NoResponse:
        """GET a path below ``/v3/``, once.

        Args:
            path: like ``suppression/bounces``.
            query: names and values.
            max_bytes: bytes of the response body to read; a longer one is truncated.
        """
        with self._connection.client_for(path) as client:
            return client.get_bytes(query, max_bytes)

    def post(self, path: str, body: bytes) -> Response | NoResponse:
        """POST JSON to a path below ``/v3/``, once."""
        with self._connection.client_for(path) as client:
            return client.post_bytes(body)

    def create_schedule_id(self) -> str:
        """Return a batch id under which a send can be scheduled."""
        return create_batch_id(self)

    def cancel_scheduled(self, schedule_id: str) -> None:
        """Cancel the scheduled send with this batch id. Idempotent."""
        cancel_scheduled(self, schedule_id)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            pool.clear()


def api_host(options: SendGridSettings) -> str:
    """Return the URL of the API: the configured host, or the region's.

    Raises:
        ConfigError: the host is neither https nor on this machine.
    """
    if options.host is None:
        region: str = sendgrid.base_interface.region_host_dict[options.region]
        return region
    host = options.host.rstrip("/")
    parts = urlsplit(host)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS):
        return host
    raise ConfigError(
        f"sendgrid.host must be https: {host}",
        remedy="Only a host on this machine (127.0.0.1) may be plain http.",
    )


def read_api_key(environment: Mapping[str, str]) -> str:
    """Return the API key.

    Raises:
        ConfigError: the variable is not set.
    """
    key = environment.get(API_KEY_VARIABLE, "").strip()
    if not key:
        raise ConfigError(
            f"no API key: {API_KEY_VARIABLE} is not set",
            remedy="Create one at SendGrid with the Mail Send permission, then: "
            f"export {API_KEY_VARIABLE}=SG.…",
        )
    return key


def _validate_key(key: str) -> str:
    # http.client would quote the key in its error about such a header.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"{API_KEY_VARIABLE} contains characters that are not allowed in an API key",
            remedy="Copy the key again, without quotes, spaces or line breaks.",
        )
    return key


def _to_response(response: urllib3.BaseHTTPResponse, max_bytes: int) -> Response:
    names = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status, names, _read_body(response, max_bytes))


def _read_body(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """Return the start of the body, or ``b""`` on a network error: the status is what counts."""
    try:
        body = response.read(max_bytes)
        complete = not response.read(1)
    except (urllib3.exceptions.HTTPError, OSError):
        response.close()
        return b""
    if complete:
        response.release_conn()
    else:
        response.close()
    return body


def _describe_error(error: BaseException) -> str:
    """Return the innermost cause as text, without the addresses of Python objects."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return "timed out waiting for the response"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return "connection timed out"
    return str(cause) or type(cause).__name__
