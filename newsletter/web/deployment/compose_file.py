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
# The service of PostgreSQL, by whose name the others reach it.
_DATABASE_HOST = "database"
_LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})


def make_compose_file(deployment: Deployment) -> DeploymentFile:
    """Return the Compose file; the secrets are in ``.env``, which git ignores.

    The list of a newsletter that has one, in SQLite or on a PostgreSQL server elsewhere, stays
    there; otherwise it is in a PostgreSQL of the file.
    """
    host, _, port = deployment.upstream.rpartition(":")
    has_workers = not deployment.has_list
    is_elsewhere = deployment.database_host not in {None, _DATABASE_HOST}
    has_database = has_workers and not is_elsewhere
    user_id, group_id = deployment.owner
    text = _HEAD.format(
        title=deployment.title,
        options=deployment.serve_options,
        what=", a worker, and PostgreSQL" if has_database else " and a worker" * has_workers,
        version=deployment.version,
        database=_DATABASE_LINE if has_database else _ELSEWHERE_LINES * is_elsewhere,
        owner="" if user_id else _ROOT_OWNS_FOLDER,
        network=PROXY_NETWORK,
        service=deployment.service,
    )
    shared = {
        "version": deployment.version,
        "user": f'    user: "{user_id}:{group_id}" # who owns the folder\n' if user_id else "",
        "database": _USE_DATABASE if has_database else "",
        "confined": _CONFINED,
    }
    text += _WEB.format(
        **shared,
        publish=f"{host}:{port}",
        port=_CONTAINER_PORT,
    )
    if has_workers:
        stop_seconds = math.ceil(deployment.request_seconds) + STOP_MARGIN_SECONDS
        text += _WORKER.format(**shared, stop_seconds=stop_seconds)
    text += _DATABASE if has_database else ""
    text += _NETWORK.format(network=PROXY_NETWORK)
    text += _VOLUMES if has_database else ""
    warnings = tuple(_find_warnings(deployment))
    next_step = f"newsletter serve{deployment.serve_options} --print compose > compose.yml"
    return DeploymentFile(text, next_step, warnings)


_HEAD = """\
# compose.yml, beside newsletter.yml
#
# The server of {title}{what}. Made by: newsletter serve{options} --print compose
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
_ELSEWHERE_LINES = """\
#   PGPASSWORD=…            # of the role in database: of newsletter.yml
#   NEWSLETTER_DATABASE=postgresql://…   # only if newsletter.yml does not name the database
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
    local = deployment.database_host
    if local is not None and (local in _LOCAL_HOSTS or local.startswith("/")):
        yield (
            "The database is on this machine, by a name that means the container itself in a "
            "container. Write another one in database: of newsletter.yml."
        )
