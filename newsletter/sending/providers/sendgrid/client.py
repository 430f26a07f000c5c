"""SendGrid over HTTP: the official client's face, and below it a transport with timeouts.

The stock transport of the client has no timeout, opens a connection a call, and can log the key.
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

API_KEY_VARIABLE = "SENDGRID_API_KEY"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_RESPONSE_BYTES = 65_536
# A piece has the connect timeout to leave: 10 s for this much is 6.5 kB/s.
CHUNK_BYTES = 65_536
# SendGrid, like most, hangs up on quiet connections; one that it drops as we write is a riddle.
MAX_IDLE_SECONDS = 5.0

# Its debug lines hold the key and the whole body.
logging.getLogger("python_http_client").disabled = True
logging.getLogger("python_http_client.client").disabled = True


class _RequestBody:
    """A request's body that knows whether all of it has been handed to the network."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.fully_sent = False

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), CHUNK_BYTES):
            yield self._body[start : start + CHUNK_BYTES]
        # The connection asks for more only when the socket has taken what it had.
        self.fully_sent = True


class _PooledClient(python_http_client.Client):  # type: ignore[misc]
    """The official HTTP client, with pre-encoded bodies over a pool."""

    def __init__(self, pool: urllib3.PoolManager, **settings: Any) -> None:
        super().__init__(**settings)
        self._pool = pool

    def _build_client(self, name: str | None = None) -> "_PooledClient":
        # The base class names itself here, and would lose the pool.
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
        """POST JSON to the path of this client; never retries, never follows a redirect."""
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
        """GET the path of this client; never retries, never follows a redirect."""
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
    """A thread's own connection, so that each is known to be fresh; made on the thread's first use.

    Args:
        api_client: the official client.
        options: the timeouts.
        pools: where to put the new one, for whoever hangs up.
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
        """The client for one call of a path."""
        if time.monotonic() - self._used > MAX_IDLE_SECONDS:
            self._pool.clear()
        yield self._client._(path)
        self._used = time.monotonic()


class SendGridClient:
    """Posts to one SendGrid account, from any number of threads; keeps a connection for each.

    Args:
        key: the API key.
        options: region or host, and timeouts.

    Raises:
        ConfigError: the key can't be a key, or the host is not one to give a key to.
    """

    def __init__(self, key: str, options: SendGridSettings) -> None:
        self.host = api_host(options)
        self._pools: list[urllib3.PoolManager] = []
        face = sendgrid.SendGridAPIClient(_validate_key(key), host=self.host)
        self._connection = _ThreadConnection(face, options, self._pools)

    def post_mail(self, body: bytes) -> Response | NoResponse:
        """POST one body to ``/v3/mail/send``, once."""
        return self.post("mail/send", body)

    def get(self, path: str, query: Mapping[str, str], max_bytes: int) -> Response | NoResponse:
        """GET a path below ``/v3/``, once.

        Args:
            path: like ``suppression/bounces``.
            query: names and values.
            max_bytes: bytes of the answer's body to read; a longer one is cut off there.
        """
        with self._connection.client_for(path) as client:
            return client.get_bytes(query, max_bytes)

    def post(self, path: str, body: bytes) -> Response | NoResponse:
        """POST JSON to a path below ``/v3/``, once."""
        with self._connection.client_for(path) as client:
            return client.post_bytes(body)

    def close(self) -> None:
        """Hang up."""
        for pool in self._pools:
            pool.clear()


def api_host(options: SendGridSettings) -> str:
    """Where the API is: the configured host, or the region's.

    Raises:
        ConfigError: a host that is not https, and not on this machine.
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
    """The API key.

    Raises:
        ConfigError: there is none.
    """
    key = environment.get(API_KEY_VARIABLE, "").strip()
    if not key:
        raise ConfigError(
            f"there is no API key: {API_KEY_VARIABLE} is not set",
            remedy="Make one at SendGrid with the permission Mail Send, then: "
            f"export {API_KEY_VARIABLE}=SG.…",
        )
    return key


def _validate_key(key: str) -> str:
    # http.client would quote the key in its complaint about such a header.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"{API_KEY_VARIABLE} holds characters that no key has",
            remedy="Copy the key again, without quotes, spaces or line breaks.",
        )
    return key


def _to_response(response: urllib3.BaseHTTPResponse, max_bytes: int) -> Response:
    names = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status, names, _read_body(response, max_bytes))


def _read_body(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """The start of the answer's body; the status is what counts, so trouble here is none."""
    try:
        body = response.read(max_bytes)
        whole = not response.read(1)
    except (urllib3.exceptions.HTTPError, OSError):
        response.close()
        return b""
    if whole:
        response.release_conn()
    else:
        response.close()
    return body


def _describe_error(error: BaseException) -> str:
    """The innermost cause in words, without the addresses of Python objects."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return "no connection in time"
    return str(cause) or type(cause).__name__
