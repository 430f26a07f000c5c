"""Make the systemd unit that runs the server, confined to its folder."""

from collections.abc import Iterator
from pathlib import Path

from newsletter.web.deployment.deployment import SERVICE_USER, Deployment, DeploymentFile

# What ProtectHome= hides (systemd.exec(5)).
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


def make_systemd_unit(deployment: Deployment) -> DeploymentFile:
    """Return the unit; the API key is in a file of root's that only systemd reads.

    ``KillMode=process`` lets a scheduled send, which is a process of its own, finish while the
    server restarts. What a command of ``notify:`` may do is limited by the unit too.
    """
    unit = f"/etc/systemd/system/{deployment.service}.service"
    environment = f"/etc/{deployment.service}.env"
    writable = sorted({deployment.folder, deployment.database_folder or deployment.folder})
    used = (*writable, *deployment.program_folders)
    homes = "read-only" if any(_is_below(folder, _HOMES) for folder in used) else "yes"
    database = "" if deployment.database_folder else " postgresql.service"
    words = (*deployment.program, *deployment.serve_arguments)
    command = " ".join(_quote(word).replace("$", "$$") for word in words)
    text = f"""\
# {unit}
#
# The server of {deployment.title}. Made by: newsletter serve --print systemd
#
{_explain_user(deployment)}#   sudo install -m 600 /dev/null {environment}
#   sudoedit {environment}
#   sudo systemctl daemon-reload
#   sudo systemctl enable --now {deployment.service}
#
# The file {environment} belongs to root, and has one line: SENDGRID_API_KEY=SG.…
# For PostgreSQL, it has another one: NEWSLETTER_DATABASE=postgresql://…

[Unit]
Description={_escape(deployment.title)}: newsletter serve
After=network-online.target{database}
Wants=network-online.target

[Service]
Type=exec
User={deployment.user}
WorkingDirectory={_escape(str(deployment.folder))}
EnvironmentFile={environment}
Environment=XDG_CACHE_HOME=%C/%N
ExecStart={command}
Restart=on-failure
RestartSec=5
LimitNOFILE=4096
UMask=0077
CacheDirectory=%N
CacheDirectoryMode=0700
# A scheduled send is a process of its own, which finishes while the server restarts.
KillMode=process
TimeoutStopSec=60

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
    next_step = f"newsletter serve --print systemd | sudo tee {unit}"
    return DeploymentFile(text, next_step, tuple(_find_warnings(deployment)))


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


def _explain_user(deployment: Deployment) -> str:
    if deployment.owner[0]:
        return ""
    folder = _quote(str(deployment.folder)).replace("%%", "%")
    return f"""\
# The folder belongs to root. Let a user of its own run the server:
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


def _quote(text: str) -> str:
    """Quote a word if necessary (systemd.syntax(7), "Quoting")."""
    word = _escape(text)
    if word and not set(word) & set(" \t\"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
