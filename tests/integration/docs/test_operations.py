"""The commands for operators that need a proxy, a broker, object storage or minutes are run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from airflow_provider_instagram.files import storage
from demo.stack import AIRFLOW, free_port, wait_until
from tests.integration.docs.pages import BLOCKS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Reads the account of a token at a host, with the variables of the environment.
CALL: Final = """
import sys
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.origin import TrustedHosts

with GraphClient("IGAAtoken", base_url=f"https://{sys.argv[1]}", hosts=TrustedHosts.read(sys.argv[1])) as client:
    print(client.send(calls.account()).username)
"""
HOST: Final = "graph.instagram.com"
#: Small numbers, with which a benchmark says the same in seconds. Whether a limit holds then means nothing.
SMALL: Final = {
    "pictures": "--pictures 2 --pairs 1",
    "preparation": "--posts 40 --accounts 2",
    "upload": "--mb 4 --rounds 1 --at-once 2",
}
#: They start a triggerer, a whole Airflow or many encodings: minutes, also with small numbers. The page says so.
BY_HAND: Final = {"scale", "late_edits", "media"}


def script(page: str, word: str) -> str:
    """Return the shell commands of the block of a page that has a word."""
    (found,) = [one.code for one in BLOCKS if (one.page, one.language) == (page, "bash") and word in one.code]
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A company's own authority, which vouches for a host of Meta, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, pem = tmp_path / "company.pem", serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(pem))
    return path


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that opens TLS, and answers every call with an account.

    :param reached: The hosts that it was asked for.
    """

    def __init__(self, authority: Path) -> None:
        self.reached: list[str] = []
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(authority)
        super().__init__(("127.0.0.1", 0), _Tunnel)


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        """Answer one call through the tunnel."""
        self.server.reached.append(self.rfile.readline().split()[1].decode())
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with self.server.tls.wrap_socket(self.request, server_side=True) as inside:
            inside.recv(65_536)
            answer = b'{"user_id": "17841400000000001", "username": "through_the_proxy", "account_type": "BUSINESS"}'
            inside.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
            )
            inside.sendall(answer)


@pytest.fixture
def proxy(authority: Path) -> Iterator[Proxy]:
    with Proxy(authority) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


def test_the_variables_lead_calls_through_the_proxy_and_trust_its_authority(proxy: Proxy, authority: Path) -> None:
    """What ``NO_PROXY`` names is called without it."""
    exports = script("docs/operate/storage.md", "HTTPS_PROXY")
    exports = exports.replace("proxy.example.com:3128", f"127.0.0.1:{proxy.server_address[1]}")
    exports = re.sub(r"(?<=SSL_CERT_FILE=)\S+", shlex.quote(str(authority)), exports)

    def call(host: str) -> subprocess.CompletedProcess[str]:
        command = f"{exports}\n{shlex.quote(sys.executable)} -c {shlex.quote(CALL)} {host}"
        return subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=False, cwd=ROOT)

    done = call(HOST)
    assert (done.stdout.strip(), proxy.reached) == ("through_the_proxy", [f"{HOST}:443"]), done.stderr
    inside = call("graph.internal.example.com")
    assert (inside.returncode, proxy.reached) == (1, [f"{HOST}:443"])


def test_the_connection_of_the_page_opens_a_storage_that_is_not_aws(
    bucket: str, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a presigned link has the server's address, and the bucket in its path."""
    from airflow.sdk import ObjectStoragePath

    export = script("docs/operate/storage.md", "endpoint_url").replace("https://storage.example.com", s3_server)
    shown = ["bash", "-euc", f'{export}\nprintf %s "$AIRFLOW_CONN_MEDIA"']
    connection = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("AIRFLOW_CONN_MEDIA", connection)
    file = ObjectStoragePath(f"{bucket}/raw/a.txt")
    file.write_text("hello")
    assert file.read_text() == "hello"
    assert storage.presigned(str(file), timedelta(hours=1)).startswith(f"{s3_server}/clips/raw/a.txt?")


@pytest.mark.parametrize("line", script("docs/operate/workers.md", "celery").splitlines())
def test_a_worker_starts_with_the_line_of_the_page(line: str, tmp_path: Path) -> None:
    """Its broker is in its memory: ``make cluster`` has one with Redis."""
    program, *words = shlex.split(line, comments=True)
    assert program == "airflow"
    settings = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CELERY__BROKER_URL": "memory://",
        "AIRFLOW__CELERY__RESULT_BACKEND": "cache+memory://",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
    }
    log = tmp_path / "worker.log"
    with log.open("w") as out:
        worker = subprocess.Popen(
            [AIRFLOW, *words], env=os.environ | settings, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_until(lambda: " ready." in log.read_text() or worker.poll() is not None, "the worker is ready", 120)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    asked = dict(zip(words[2::2], words[3::2], strict=True))
    said = log.read_text()
    assert " ready." in said, said
    assert re.findall(r"\.> (\w+) +exchange=", said) == [asked["--queues"]]
    assert f"concurrency: {asked['--concurrency']} " in said


def test_every_benchmark_of_the_page_is_run_or_named_as_one_that_is_not() -> None:
    page = (ROOT / "benchmarks/README.md").read_text()
    (commands,) = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    assert set(re.findall(r"python -m benchmarks\.(\w+)", commands)) == {*SMALL, *BY_HAND}
    (sentence,) = re.findall(r"Tests run .*? by hand\.", page, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == BY_HAND


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_of_the_page_runs(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", *SMALL[name].split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()
