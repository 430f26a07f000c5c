"""Serve the public site on loopback for the links of a rehearsal."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import uvicorn

from newsletter.project import Project
from newsletter.web.app import make_app
from newsletter.web.site_context import open_site


@contextmanager
def serve_rehearsal_site(project: Project, engine: sa.Engine) -> Iterator[str]:
    """Serve the site over a database; yield its URL, without a trailing slash."""
    # The site's warnings (no public URL, no webhook key) concern a public server only.
    logging.getLogger("newsletter.web").addHandler(logging.NullHandler())
    app = make_app(open_site(project, engine))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        # Clients that connect before the server is up wait in the socket's backlog.
        config = uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
