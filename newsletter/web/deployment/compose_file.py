"""Make the Compose file: the server, workers and PostgreSQL in containers."""

import math
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network

from newsletter.web.deployment.deployment import Deployment, DeploymentFile
from newsletter.web.deployment.systemd_unit import STOP_MARGIN_SECONDS

# Fixed, so that newsletter.yml can trust it: to the server, every connection through the published
# port comes from the gateway of this network.
PROXY_NETWORK = "172.30.57.0/24"
_CONTAINER_PORT = 8000


def make_compose_file(deployment: Deployment) -> DeploymentFile:
    """Return the Compose file; the secrets are in ``.env``, which git ignores.

    The list of a newsletter that has one in SQLite stays there; otherwise it is in PostgreSQL.
    """
    host, _, port = deployment.upstream.rpartition(":")
    keeps_sqlite = deployment.has_list
    user_id, group_id = deployment.owner
    text = _HEAD.format(
        title=deployment.title,
        what="" if keeps_sqlite else ", a worker, and PostgreSQL",
        version=deployment.version,
        database="" if keeps_sqlite else _DATABASE_LINE,
        owner="" if user_id else _ROOT_OWNS_FOLDER,
        network=PROXY_NETWORK,
        service=deployment.service,
    )
    shared = {
        "version": deployment.version,
        "user": f'    user: "{user_id}:{group_id}" # who owns the folder\n' if user_id else "",
        "database": "" if keeps_sqlite else _USE_DATABASE,
        "confined": _CONFINED,
    }
    text += _WEB.format(
        **shared,
        publish=f"{host}:{port}",
        port=_CONTAINER_PORT,
    )
    if not keeps_sqlite:
        stop_seconds = math.ceil(deployment.request_seconds) + STOP_MARGIN_SECONDS
        text += _WORKER.format(**shared, stop_seconds=stop_seconds) + _DATABASE
    text += _NETWORK.format(network=PROXY_NETWORK)
    text += "" if keeps_sqlite else _VOLUMES
    warnings = tuple(_find_warnings(deployment))
    return DeploymentFile(text, "newsletter serve --print compose > compose.yml", warnings)


_HEAD = """\
# compose.yml, beside newsletter.yml
#
# The server of {title}{what}. Made by: newsletter serve --print compose
#
# The image is built from the source of newsletter: docker build -t newsletter:{version} .
# The secrets are in .env, beside this file, which only you can read (chmod 600 .env):
#
#   SENDGRID_API_KEY=SG.…
{database}#
{owner}# In newsletter.yml, so that each reader has limits of their own:
#
#   public:
#     trusted_proxies: [127.0.0.1, "::1", {network}]

name: {service}

services:
"""
_DATABASE_LINE = """\
#   PGPASSWORD=…            # a long random word: openssl rand -hex 24
"""
_ROOT_OWNS_FOLDER = """\
# The folder belongs to root, whom nothing runs as in the container: chown -R 10001:10001 .
#
"""
_WEB = """\
  web:
    image: newsletter:{version}
    command: [serve, --host, 0.0.0.0, --port, "{port}"]
{user}    env_file: .env
{database}    volumes:
      - .:/srv/newsletter
    ports:
      - "{publish}:{port}" # on this machine only, for Caddy
    healthcheck:
      test:
        - CMD
        - python
        - -c
        - import urllib.request as r; r.urlopen("http://127.0.0.1:{port}/readyz", timeout=5)
      interval: 30s
      timeout: 10s
      start_period: 30s
    restart: unless-stopped
    stop_grace_period: 1m
{confined}"""
_WORKER = """
  # One worker; for three: docker compose up --detach --scale worker=3
  worker:
    image: newsletter:{version}
    command: [worker]
{user}    env_file: .env
{database}    volumes:
      - .:/srv/newsletter
    healthcheck:
      disable: true # that of the image asks the server
    deploy:
      replicas: 1
    restart: unless-stopped
    stop_grace_period: {stop_seconds}s # longer than a request to SendGrid can take
{confined}"""
_CONFINED = """\
    init: true
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
"""
_USE_DATABASE = """\
    environment:
      NEWSLETTER_DATABASE: postgresql://newsletter@database/newsletter # with PGPASSWORD
    depends_on:
      database:
        condition: service_healthy
"""
_DATABASE = """
  database:
    image: postgres:17
    environment:
      POSTGRES_USER: newsletter
      POSTGRES_DB: newsletter
      POSTGRES_PASSWORD: ${PGPASSWORD:?write it to .env}
    volumes:
      - database:/var/lib/postgresql/data
    healthcheck:
      # By TCP: while it is being set up, the server listens on its socket only.
      test: [CMD, pg_isready, --host, 127.0.0.1, --username, newsletter]
      interval: 10s
      timeout: 5s
      start_period: 60s
    restart: unless-stopped
    stop_grace_period: 1m
    security_opt: ["no-new-privileges:true"]
"""
_NETWORK = """
networks:
  default:
    ipam:
      config:
        - subnet: {network}
"""
_VOLUMES = """
volumes:
  database:
"""


def _find_warnings(deployment: Deployment) -> Iterator[str]:
    network = IPv4Network(PROXY_NETWORK)
    trusted = [ip_network(text) for text in deployment.trusted_proxies]
    if not any(isinstance(other, IPv4Network) and other.supernet_of(network) for other in trusted):
        yield (
            f"newsletter.yml does not trust {PROXY_NETWORK} yet, so all readers would share the "
            "limits of one. Add it to public.trusted_proxies."
        )
    if deployment.has_list and deployment.database_folder != deployment.folder:
        yield "The database is not in the newsletter's folder: the container can't see it."
