"""The app's server: FiftyOne's own, with a page that asks no other machine for anything.

Run as a program it is the server; `start` starts one and waits for it. FiftyOne's page wants fonts of a font
server and opens an advertisement over the grid: neither has a setting. The policy that the page is sent with
lets the browser load from this server only, whatever the page asks for.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Final

from curate.adapters.mongod import HOST
from curate.errors import ViewError
from curate.extras import require

_START_S: Final = 300  # a busy machine takes longer than FiftyOne's minute to import it
# https://www.w3.org/TR/CSP3/; the app makes workers and pictures of its own (blob:), and code (unsafe-eval).
POLICY: Final = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
_NO_ADVERTISEMENT: Final = "<script>localStorage.setItem('fiftyone-enterprise-tooltip-seen', 'true')</script>"
_PAGES: Final = ("/", "/index.html", "/datasets/{name}")


def start(port: int) -> Any:
    """Start the server on 127.0.0.1 and wait until it listens.

    A `Session` of FiftyOne starts the same one, and prints over our line while it looks for it.

    Args:
        port: A free TCP port.

    Returns:
        FiftyOne's `ServerService`: `wait()` waits for its end, `stop()` ends it.

    Raises:
        ViewError: It did not start.
        MissingExtraError: FiftyOne is not installed.
    """
    service: Any = require("fiftyone.core.service", extra="fiftyone")

    class Server(service.ServerService):  # type: ignore[misc]
        @property
        def command(self) -> list[str]:
            # -P: FiftyOne starts it in a folder of its own, whose files have names such as metadata.py.
            return [sys.executable, "-P", "-m", __name__, "--port", str(self.port)]

        def _wait_for_child_port(self, port: int | None = None, timeout: int = _START_S) -> Any:
            return super()._wait_for_child_port(port=port, timeout=timeout)

    tracked = os.environ.get("FIFTYONE_DO_NOT_TRACK", "").lower() not in {"1", "true", "yes"}
    try:
        return Server(port, address=HOST, do_not_track=not tracked)
    except (OSError, service.ServiceException) as error:
        raise ViewError(f"the FiftyOne app did not start on port {port}: {error}") from error


def main() -> None:
    """Serve the app until the process that started it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    server = require("fiftyone.server.main", extra="fiftyone")
    responses = require("starlette.responses", extra="fiftyone")
    routing = require("starlette.routing", extra="fiftyone")
    html = (Path(server.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    html = html.replace("<head>", f"<head>{_NO_ADVERTISEMENT}", 1)
    headers = {"content-security-policy": POLICY, "cache-control": "no-store"}

    async def page(_: Any) -> Any:
        return responses.HTMLResponse(html, headers=headers)

    server.app.router.routes[:0] = [routing.Route(path, page) for path in _PAGES]
    server.start_server(port=port, address=HOST)


if __name__ == "__main__":
    main()
