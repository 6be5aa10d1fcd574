"""A mail server that keeps what it is sent, and a page that shows it."""

from __future__ import annotations

import html
import socketserver
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDER = "airflow@example.com"
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>Mails</title>
<style>body { font-family: sans-serif; max-width: 50em; margin: 2em auto } iframe { width: 100%; border: solid 1px }
</style><h1>Mails of the demonstration</h1>"""


class MailServer(socketserver.ThreadingTCPServer):
    """A server that takes mails.

    :param mails: What it has got.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Mail)

    @property
    def connection(self) -> dict[str, Any]:
        """Airflow's connection to it, as JSON."""
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": SENDER}
        return {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": self.server_address[1],
            "extra": extra,
        }


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self.wfile.write(
                b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 fine\r\n"
            )


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Start a server."""
    with MailServer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def mailbox_page(mails: list[bytes], port: int = 0) -> Iterator[str]:
    """Serve a page that shows mails, the newest first, and return its address.

    :param mails: The mails, to which a server may add others.
    :param port: Its port. 0 means any free port.
    """

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown = "".join(map(_shown, reversed(mails)))
            content = f"{HEAD}{shown or '<p>No mail yet.</p>'}".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def _shown(mail: bytes) -> str:
    """Return a mail as HTML. Its body is shown in a frame of its own, whose links open beside the page."""
    read = message_from_bytes(mail, policy=default)
    body = read.get_body(("html", "plain"))
    text = f'<base target="_blank">{body.get_content() if body is not None else ""}'
    heading = (
        f"<h2>{html.escape(str(read['Subject']))}</h2><p>To {html.escape(str(read['To']))}</p>"
    )
    frame = f'<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="{html.escape(text)}"></iframe>'
    return f"<article>{heading}{frame}</article>"
