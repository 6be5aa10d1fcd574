"""A server of somebody's own that keeps everything it is sent, under a name that is not this machine's."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "collector.example"


@dataclass
class Collector:
    """A server that answers every call as told, and keeps what came.

    :param scheme: ``https`` or ``http``.
    :param port: Its port.
    :param answers: What it answers to a path's last part: JSON, or bytes as they are.
    :param location: Where it redirects every call to, when it does.
    :param connections: How many connections were opened to it.
    :param received: The calls: request line, headers and body in one text.
    """

    scheme: str = "https"
    port: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    connections: int = 0
    received: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address under the name that is not this machine's."""
        return f"{self.scheme}://{NAME}:{self.port}"

    @property
    def text(self) -> str:
        """Everything that it was sent."""
        return "\n".join(self.received)


@contextmanager
def collecting(collector: Collector, tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """Run a collector in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
            collector.received.append(f"{self.requestline}\n{self.headers}\n{body}")
            asked = self.path.partition("?")[0].rpartition("/")[2]
            answer = collector.answers.get(asked, {})
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(307 if collector.location else 200)
            if collector.location:
                self.send_header("Location", collector.location)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_CONNECT = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def get_request(self) -> Any:
            connection, address = super().get_request()
            collector.connections += 1
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

        def handle_error(self, *_: object) -> None:
            """Say nothing of a caller that breaks off."""

    with Server(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the collector's name, with its key: made by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "collector.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name leads to this machine, as somebody's own name server would have it; no call leaves it."""
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host not in ("localhost", "::1", None) else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def collector(names: None, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector by https, whose certificate this process takes for good."""
    from airflow_provider_instagram.graph import client

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    client._tls.cache_clear()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with collecting(Collector(), context) as made:
        yield made
    client._tls.cache_clear()


@pytest.fixture
def plain_collector(names: None) -> Iterator[Collector]:
    """A collector by plain http."""
    with collecting(Collector("http")) as made:
        yield made


@pytest.fixture
def shell(airflow_db: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command of ours in this process; gives what it prints, also where it ends with an error."""
    from airflow.cli.cli_parser import get_parser

    def run(*words: str) -> str:
        monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")  # the commands set it, and this process is not theirs alone
        args = get_parser().parse_args(["instagram", *words])
        try:
            args.func(args)
        except SystemExit as ended:
            return f"{capsys.readouterr().out}{ended}"
        return capsys.readouterr().out

    return run
