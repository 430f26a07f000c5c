"""Make the systemd units of the server and of workers, well confined."""

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.web.deployment.deployment import SERVICE_USER, Deployment, DeploymentFile

# What ProtectHome= hides (systemd.exec(5)).
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))

# How long a worker may take beyond its requests: they are recorded, and jobs complete.
STOP_MARGIN_SECONDS = 30
# How long after a failure a worker is started again; meanwhile the others go on.
WORKER_RESTART_SECONDS = 30


def make_systemd_unit(deployment: Deployment) -> DeploymentFile:
    """Return the unit of the server; the API key is in a file of root's that only systemd reads.

    ``KillMode=process`` lets a scheduled send, which is a process of its own, finish while the
    server restarts. What a command of ``notify:`` may do is limited by the unit too.
    """
    words = (*deployment.program, *deployment.serve_arguments)
    return _make_unit(
        deployment,
        _UnitParts(
            name=deployment.service,
            instance=deployment.service,
            command="newsletter serve",
            options=deployment.serve_options,
            head=f"The server of {deployment.title}.",
            start=" ".join(_quote_argument(word) for word in words),
            stop="""\
# A scheduled send is a process of its own, which finishes while the server restarts.
KillMode=process
TimeoutStopSec=60
""",
            warnings=tuple(_find_warnings(deployment)),
        ),
    )


def make_worker_unit(deployment: Deployment, arguments: Sequence[str]) -> DeploymentFile:
    """Return the template of a unit, of which each instance is a worker.

    Each has a port of its own for Prometheus: that of the first one, and those after it.

    Args:
        deployment: where it runs; of its ports, only that for Prometheus counts: of instance 1.
        arguments: further arguments of ``newsletter worker``.
    """
    name = f"{deployment.service}-worker@"
    words = (*deployment.program, "worker", *arguments)
    start = " ".join(_quote_argument(word) for word in words)
    explanation = f"# For another worker on this machine, enable {name}2 too.\n"
    options = "".join(f" {shlex.quote(argument)}" for argument in arguments)
    if port := deployment.metrics_port:
        options += f" --metrics-port {port}"
        start += f" --metrics-port {port - 1}+%i"  # systemd can't add
        explanation += f"# Metrics for Prometheus: of @1 at port {port}, of @2 at {port + 1}.\n"
    seconds = math.ceil(deployment.request_seconds)
    return _make_unit(
        deployment,
        _UnitParts(
            name=name,
            instance=f"{name}1",
            command="newsletter worker",
            options=options,
            head=f"Workers of {deployment.title}.",
            explanation=f"#\n{explanation}",
            start=start,
            stop=f"""\
# It completes and records the requests in flight first, which takes {seconds} seconds at most.
KillMode=mixed
TimeoutStopSec={seconds + STOP_MARGIN_SECONDS}
""",
            warnings=(*_find_warnings(deployment), *_find_worker_warnings(deployment)),
            # A worker that refuses a database which was upgraded is started until its own version
            # is installed.
            restart_seconds=WORKER_RESTART_SECONDS,
        ),
    )


@dataclass(frozen=True, slots=True)
class _UnitParts:
    """What differs between the units.

    Attributes:
        name: its name, without ``.service``.
        instance: what is started.
        command: the command that it runs, and that prints it.
        options: with which it prints the same, each behind a space.
        head: what it is.
        start: the value of ``ExecStart=``.
        stop: the settings of how it is stopped.
        warnings: what would keep it from working.
        explanation: further comment.
        restart_seconds: how long after a failure it is started again.
    """

    name: str
    instance: str
    command: str
    options: str
    head: str
    start: str
    stop: str
    warnings: tuple[str, ...]
    explanation: str = ""
    restart_seconds: int = 5


def _make_unit(deployment: Deployment, parts: _UnitParts) -> DeploymentFile:
    unit = f"/etc/systemd/system/{parts.name}.service"
    environment = f"/etc/{deployment.service}.env"
    writable = sorted({deployment.folder, deployment.database_folder or deployment.folder})
    used = (*writable, *deployment.program_folders)
    homes = "read-only" if any(_is_below(folder, _HOMES) for folder in used) else "yes"
    database = "" if deployment.database_folder else " postgresql.service"
    text = f"""\
# {unit}
#
# {parts.head} Made by: {parts.command}{parts.options} --print systemd
#
{_explain_user(deployment)}#   sudo install -m 600 /dev/null {environment}
#   sudoedit {environment}
#   sudo systemctl daemon-reload
#   sudo systemctl enable --now {parts.instance}
{parts.explanation}#
# The file {environment} belongs to root, and has one line: SENDGRID_API_KEY=SG.…
# For PostgreSQL, it has PGPASSWORD=… too, unless ~/.pgpass has the password, and
# NEWSLETTER_DATABASE=postgresql://… unless newsletter.yml names the database.

[Unit]
Description={_escape(deployment.title)}: {parts.command}
After=network-online.target{database}
Wants=network-online.target

[Service]
Type=exec
User={deployment.user}
WorkingDirectory={_escape(str(deployment.folder))}
EnvironmentFile={environment}
Environment=XDG_CACHE_HOME=%C/%N
ExecStart={parts.start}
Restart=on-failure
RestartSec={parts.restart_seconds}
LimitNOFILE=4096
UMask=0077
CacheDirectory=%N
CacheDirectoryMode=0700
{parts.stop}
# It writes to its folder and to nothing else.
ProtectSystem=strict
ReadWritePaths={" ".join(_quote(str(folder)) for folder in writable)}
ProtectHome={homes}
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RemoveIPC=yes

# It needs no privilege, and no socket but those of the network and of a local PostgreSQL.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
    next_step = f"{parts.command}{parts.options} --print systemd | sudo tee {unit}"
    return DeploymentFile(text, next_step, parts.warnings)


def _find_warnings(deployment: Deployment) -> Iterator[str]:
    """Yield what the user can't enter: only root can open /root."""
    if deployment.user == "root":
        return
    root_home = (Path("/root"),)
    if _is_below(deployment.folder, root_home):
        yield f"{deployment.folder} is in /root, which {deployment.user} can't enter: move it."
    if any(_is_below(folder, root_home) for folder in deployment.program_folders):
        yield (
            f"newsletter, or its Python, is in /root, which {deployment.user} can't enter: install "
            "it elsewhere, such as /opt/newsletter."
        )


def _find_worker_warnings(deployment: Deployment) -> Iterator[str]:
    if deployment.database_folder:
        yield (
            "newsletter.yml names a database in SQLite, and workers need PostgreSQL. Name it "
            f"there, or as NEWSLETTER_DATABASE in /etc/{deployment.service}.env."
        )


def _explain_user(deployment: Deployment) -> str:
    if deployment.owner[0]:
        return ""
    folder = _quote(str(deployment.folder)).replace("%%", "%")
    return f"""\
# The folder belongs to root. Let a user of its own run it:
#
#   sudo useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin {SERVICE_USER}
#   sudo chown -R {SERVICE_USER}: {folder}
#
"""


def _is_below(folder: Path, parents: tuple[Path, ...]) -> bool:
    return any(folder.is_relative_to(parent) for parent in parents)


def _escape(text: str) -> str:
    """Escape what systemd would replace in a value (systemd.unit(5), "Specifiers")."""
    return text.replace("%", "%%")


def _quote_argument(text: str) -> str:
    return _quote(text).replace("$", "$$")


def _quote(text: str) -> str:
    """Quote a word if necessary (systemd.syntax(7), "Quoting")."""
    word = _escape(text)
    if word and not set(word) & set(" \t\"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
