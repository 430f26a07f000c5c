"""Files to run this server elsewhere: systemd, Caddy, Compose."""

from newsletter.web.deployment.caddyfile import make_caddyfile
from newsletter.web.deployment.compose_file import make_compose_file
from newsletter.web.deployment.deployment import Deployment, DeploymentFile, describe_deployment
from newsletter.web.deployment.systemd_unit import make_systemd_unit, make_worker_unit

__all__ = [
    "Deployment",
    "DeploymentFile",
    "describe_deployment",
    "make_caddyfile",
    "make_compose_file",
    "make_systemd_unit",
    "make_worker_unit",
]
