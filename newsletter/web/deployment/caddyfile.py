"""Make the Caddyfile that gives the server HTTPS."""

from urllib.parse import urlsplit

from newsletter.errors import ConfigError, Location
from newsletter.web.deployment.deployment import Deployment, DeploymentFile

CADDYFILE_PATH = "/etc/caddy/Caddyfile"


def make_caddyfile(deployment: Deployment) -> DeploymentFile:
    """Return a site of Caddy that passes the public URL on to the server.

    Caddy sets ``X-Forwarded-For`` and ``X-Forwarded-Proto`` itself and ignores those of clients
    (caddyserver.com/docs/caddyfile/directives/reverse_proxy, "Defaults").

    Raises:
        ConfigError: there is no public URL with https.
    """
    parts = urlsplit(deployment.public_url or "")
    if parts.scheme != "https":
        raise ConfigError(
            "there is no https address for Caddy to serve",
            where=Location("newsletter.yml"),
            remedy="Set public_url to the address that readers will use, such as "
            "https://news.harbournotes.example.",
        )
    text = f"""\
# {CADDYFILE_PATH}, or a file that it imports
#
# HTTPS for {deployment.title}. Made by: newsletter serve{deployment.serve_options} --print caddy
#
# Caddy gets its certificate by itself once {parts.hostname} leads to this machine and
# ports 80 and 443 are open: sudo systemctl reload caddy

{parts.netloc} {{
{_make_routes(parts.path, deployment.upstream)}}}
"""
    command = f"newsletter serve{deployment.serve_options} --print caddy"
    return DeploymentFile(text, f"{command} | sudo tee {CADDYFILE_PATH}")


def _make_routes(path: str, upstream: str) -> str:
    if not path:
        return f"\treverse_proxy {upstream}\n"
    return f"""\
\tredir {path} {path}/
\thandle_path {path}/* {{
\t\treverse_proxy {upstream}
\t}}
"""
