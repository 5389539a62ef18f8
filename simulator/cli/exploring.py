"""What ``explore`` does: serves the page with sliders until it is interrupted."""

from __future__ import annotations

import errno
import socket

from simulator.cli.harmless import say
from simulator.errors import TeamsimError
from simulator.scenario import Study


def explore(study: Study | None, port: int) -> None:
    """Serve the explorer until interrupted."""
    import logging

    from werkzeug.serving import make_server

    from analysis.report.explorer import explorer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # werkzeug would print hints of its own about a port that is taken, after the explorer is made.
    with _listening(port) as ours:
        app = explorer(study).server
        server = make_server("127.0.0.1", port, app, threaded=True, fd=ours.fileno())
        say(f"http://127.0.0.1:{port}/ (Ctrl-C ends it)")
        server.serve_forever()


def _listening(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine.

    Raises
    ------
    TeamsimError
        If the port is taken, or not for this user.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is taken: give another --port" if taken else f"cannot be used: {error.strerror}"
        raise TeamsimError(f"port {port} {why}") from None
