"""Describe where the server runs: folder, user, program, port."""

import pwd
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter import __version__
from newsletter.db.engine import sqlite_file
from newsletter.errors import UsageError
from newsletter.posts.slug import slugify
from newsletter.project import Project
from newsletter.sending.providers.registry import get_request_timeout

# Of whoever runs the server if the folder belongs to root, who should not.
SERVICE_USER = "newsletter"
# Of the options of ``newsletter serve``.
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000
_ALL_ADDRESSES = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not listened on
# It becomes a word of each file's syntax: no spaces, quotes or braces.
_HOST_PATTERN = re.compile(r"(?:[\w:][\w.:%-]*)?")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where and how a newsletter's server runs.

    Attributes:
        title: the newsletter's name, one line.
        service: the name of the service: ``newsletter-`` and the folder's name.
        folder: the project's folder.
        program: the command ``newsletter``, as absolute paths and arguments.
        program_folders: where the program and its Python are installed.
        user: who runs the server: the folder's owner, unless that is root.
        owner: user and group id of the folder's owner.
        host: the address to listen on.
        port: the port to listen on.
        metrics_port: the port for Prometheus, if any.
        public_url: where readers reach the server; ``None`` if it is not set.
        database_folder: where the SQLite database is; ``None`` with PostgreSQL.
        has_list: whether there is a SQLite database already.
        database_host: where PostgreSQL is, a folder or ``""`` on this machine; or ``None``.
        trusted_proxies: the networks whose forwarded addresses are trusted.
        request_seconds: how long a request to the provider can take.
        version: the program's version.
    """

    title: str
    service: str
    folder: Path
    program: tuple[str, ...]
    program_folders: tuple[Path, ...]
    user: str
    owner: tuple[int, int]
    host: str
    port: int
    metrics_port: int | None
    public_url: str | None
    database_folder: Path | None
    has_list: bool
    trusted_proxies: tuple[str, ...]
    request_seconds: float
    version: str = __version__
    database_host: str | None = None

    @property
    def serve_arguments(self) -> tuple[str, ...]:
        """The arguments of the command that runs the server."""
        metrics = ("--metrics-port", str(self.metrics_port)) if self.metrics_port else ()
        return ("serve", "--host", self.host, "--port", str(self.port), *metrics)

    @property
    def serve_options(self) -> str:
        """The options with which ``newsletter serve`` describes the same, each behind a space."""
        host = "" if self.host == DEFAULT_HOST else f" --host {shlex.quote(self.host)}"
        port = "" if self.port == DEFAULT_PORT else f" --port {self.port}"
        metrics = f" --metrics-port {self.metrics_port}" if self.metrics_port else ""
        return host + port + metrics

    @property
    def upstream(self) -> str:
        """Host and port at which a proxy on this machine reaches the server."""
        loopback = "::1" if ":" in self.host else "127.0.0.1"
        host = loopback if self.host in _ALL_ADDRESSES else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def describe_deployment(
    project: Project, host: str, port: int, metrics_port: int | None
) -> Deployment:
    """Return where the server of a project would run on this machine.

    Args:
        project: the newsletter's folder.
        host: the address to listen on.
        port: the port to listen on; not 0, which would be another one each time.
        metrics_port: the port for Prometheus, if any.

    Raises:
        UsageError: the port is 0, the host is neither a name nor an address, or the path of the
            newsletter's or the database's folder has a character that a unit file can't contain.
        DatabaseError: the database URL is not valid.
    """
    if not port:
        raise UsageError("--print needs a port: 0 is another one at each start")
    if not _HOST_PATTERN.fullmatch(host):
        raise UsageError(f"{host!r} is not the name or address of a host")
    folder = project.root.resolve()
    _check_path(folder, "the folder's path")
    status = folder.stat()
    database = sqlite_file(project.config.database, folder)
    if database:
        _check_path(database.parent, "the path of the database's folder")
    python = Path(sys.executable)
    script = python.with_name("newsletter")
    return Deployment(
        title=project.config.name,
        service=_name_service(folder),
        folder=folder,
        program=(str(script),) if script.is_file() else (str(python), "-m", "newsletter"),
        program_folders=(python.parent, python.resolve().parent),
        user=_find_user_name(status.st_uid) if status.st_uid else SERVICE_USER,
        owner=(status.st_uid, status.st_gid),
        host=host,
        port=port,
        metrics_port=metrics_port,
        public_url=project.config.public_url,
        database_folder=database.parent if database else None,
        has_list=bool(database and database.is_file()),
        trusted_proxies=project.config.public.trusted_proxies,
        request_seconds=get_request_timeout(project.config),
        database_host=None if database else _get_host(project.config.database),
    )


def _get_host(database_url: str) -> str:
    url = sa.make_url(database_url)
    return str(url.host or url.query.get("host", ""))


def _check_path(folder: Path, what: str) -> None:
    """Raise ``UsageError`` for a path that would end its line, or lose a space at its end."""
    text = str(folder)
    if not text.isprintable() or "\\" in text or text.endswith(" "):
        raise UsageError(
            f"{what} has a character that a unit file can't contain",
            remedy="Rename the folder.",
        )


def _name_service(folder: Path) -> str:
    slug = slugify(folder.name)
    return slug if slug.startswith("newsletter") else f"newsletter-{slug}".rstrip("-")


def _find_user_name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """A file to save, and what to do with it.

    Attributes:
        text: the file's content, without secrets.
        next_step: the command that saves it.
        warnings: what would keep it from working; full sentences.
    """

    text: str
    next_step: str
    warnings: tuple[str, ...] = ()
