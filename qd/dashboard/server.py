"""Serves the pages over HTTP."""

from __future__ import annotations

import contextlib
import logging
import urllib.parse
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from ..errors import UsageError
from .app import make_app
from .gate import is_loopback, new_token
from .results import Results

logger = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many requests: a page makes dozens

    def log(self, type: str, message: str, *args: object) -> None:
        """Requests are not logged."""


class Server:
    """A web server over a folder of runs, listening from the moment it is made.

    Args:
        folder: of runs.
        host: address to listen on; any but loopback asks for a token.
        port: 0 takes a free one.
        plugins: where an archive's kind is looked up if it is a plug-in.

    Raises:
        UsageError: there is no such folder, or the address is taken or not this machine's.
    """

    def __init__(
        self, folder: Path | str, host: str = "127.0.0.1", port: int = 8050, plugins: Path | str | None = None
    ) -> None:
        results = Results(Path(folder), plugins)
        self.token = None if is_loopback(host) else new_token()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        app = make_app(results, self.token)
        try:
            with contextlib.redirect_stderr(None):  # werkzeug prints, and exits, where a port is taken
                self._server = make_server(host, port, app.server, threaded=True, request_handler=_Handler)
        except (OSError, SystemExit) as error:
            raise UsageError(
                f"--host {host} --port {port}: cannot listen there ({getattr(error, 'strerror', None) or 'taken'});"
                " choose another --port"
            ) from None
        # Dash sets itself up at the first request: this one, so that nobody waits for it.
        app.server.test_client().get("/", headers={"Host": "127.0.0.1", "Authorization": f"Bearer {self.token}"})
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._server.server_port}/"

    @property
    def link(self) -> str:
        """What a person opens: the address, with the token where one is needed."""
        return f"{self.address}?{urllib.parse.urlencode({'token': self.token})}" if self.token else self.address

    def serve(self) -> None:
        """Answer until `stop` is called from another thread, or Ctrl-C."""
        self._server.serve_forever()

    def stop(self) -> None:
        """End `serve`."""
        self._server.shutdown()


def serve(
    results: Path | str = "results", host: str = "127.0.0.1", port: int = 8050, plugins: Path | str | None = None
) -> None:
    """Serve the runs of a folder as web pages, until Ctrl-C; what to open is logged.

    Args:
        results: a folder of runs.
        host: address to listen on; any but loopback asks for a token.
        port: 0 takes a free one.
        plugins: where an archive's kind is looked up if it is a plug-in; without it, none is imported.

    Raises:
        UsageError: there is no such folder, or the address is taken or not this machine's.
    """
    server = Server(results, host, port, plugins)
    if server.token:
        logger.info(f"listening on {host}, which others can reach: whoever has the token in this address may look")
    logger.info(f"open {server.link}")
    server.serve()
