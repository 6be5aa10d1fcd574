"""What the attacks share: servers of an attacker, a shell, and a transcode."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.attacks.collector import NAME, Collector, collecting
from tests.integration.attacks.https_server import HttpsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from tests.integration.conftest import DagResult, RunDag


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
def names(mocker: MockerFixture) -> None:
    """Resolve every name to this machine, as an attacker's name server could. No call leaves the machine."""
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host not in ("localhost", "::1", None) else host, *rest, **more)

    mocker.patch.object(socket, "getaddrinfo", resolve)


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


@pytest.fixture
def transcode(run_dag: RunDag) -> Callable[..., DagResult]:
    """Runs TranscodeOperator on a source, with one try and with arguments that come from run parameters."""

    def run(source: str, **arguments: str) -> DagResult:
        from airflow.sdk import DAG

        from airflow_provider_instagram.operators import TranscodeOperator

        with DAG("attack", schedule=None) as dag:
            templates: dict[str, Any] = {name: f"{{{{ params.{name} }}}}" for name in arguments}
            TranscodeOperator(task_id="transcode", source=source, retries=0, **templates)
        return run_dag(dag, **arguments)

    return run


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Return a reader of all that was logged: by the task, on the standard outputs, and around it."""

    def read() -> str:
        return "".join(capfd.readouterr()) + caplog.text

    return read


@pytest.fixture
def https_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpsServer]:
    """A server on this machine whose certificate is trusted, and whose address tasks may ask."""
    server = HttpsServer(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.trusted))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PRIVATE_SOURCES", "True")
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.stop()
    thread.join()
