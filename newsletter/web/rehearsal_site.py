"""The public site on this machine alone, for a while: what a rehearsal opens its links on."""

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
    """Run the site over a database; gives its address, without a trailing slash."""
    # What it has to say is for those who serve it to the world.
    logging.getLogger("newsletter.web").addHandler(logging.NullHandler())
    app = make_app(open_site(project, engine))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Whoever comes before the server is up waits in the socket's queue.
        config = uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
