"""Links that hold a worker, that lead into its network, or that hold a secret."""

from __future__ import annotations

import logging
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files.download import download
from airflow_provider_instagram.files.storage import as_local_file
from tests.integration.conftest import load_dag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_mock import MockerFixture

    from tests.integration.attacks.https_server import Behave, HttpsServer
    from tests.integration.conftest import DagResult, RunDag

ROOT = Path(__file__).parents[3]
TOTAL_S = 0.6
SOON_S = 10.0
SIGNATURE = "X-Amz-Signature=5ec7e75ec7e7"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"


def drip_the_handshake(server: HttpsServer, connection: socket.socket) -> None:
    connection.recv(65536)
    server.connected.set()
    server.drip(connection, b"\x16\x03\x03\x40\x00", b"\x00")


def drip_the_headers(server: HttpsServer, connection: socket.socket) -> None:
    server.drip(server.tls(connection), OK + b"X-Long: ", b"x")


def hint_for_ever(server: HttpsServer, connection: socket.socket) -> None:
    server.drip(server.tls(connection), b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")


def drip_the_headers_after_a_redirect(server: HttpsServer, connection: socket.socket) -> None:
    secured = server.tls(connection)
    if "/redirected" in server.asked:
        server.drip(secured, OK + b"X-Long: ", b"x")
    else:
        secured.sendall(b"HTTP/1.1 302 Found\r\nLocation: /redirected\r\nContent-Length: 0\r\n\r\n")


def drip_the_body(server: HttpsServer, connection: socket.socket) -> None:
    server.drip(server.tls(connection), OK + b"\r\n", b"x", at_once=True)


DRIPS: tuple[Behave, ...] = (
    drip_the_handshake,
    drip_the_headers,
    hint_for_ever,
    drip_the_headers_after_a_redirect,
    drip_the_body,
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> None:
    """A download that may take less than a second in all; nothing else about it is changed."""
    assert download.__kwdefaults__ is not None
    monkeypatch.setitem(download.__kwdefaults__, "total_s", TOTAL_S)
    mocker.patch("airflow_provider_instagram.files.download.TOTAL_TIMEOUT_S", TOTAL_S)


TOO_SLOW = "video.mp4 was too slow and was stopped after 0.6 s"


@pytest.mark.parametrize("behave", DRIPS, ids=lambda behave: behave.__name__)
def test_a_server_that_drips_is_given_up_when_the_time_is_over(
    behave: Behave, https_server: HttpsServer, impatient: None
) -> None:
    """The time is for all of it: a byte now and then prolongs nothing."""
    https_server.behave = behave
    began_s = time.monotonic()
    with (
        pytest.raises(TransientError, match=f"{TOO_SLOW}|could not be"),
        as_local_file(f"{https_server.url}/video.mp4"),
    ):
        pass
    assert time.monotonic() - began_s < SOON_S


def test_the_task_that_a_server_drips_on_fails(
    https_server: HttpsServer, impatient: None, transcode: Callable[..., DagResult], logged: Callable[[], str]
) -> None:
    https_server.behave = drip_the_body
    assert transcode(f"{https_server.url}/video.mp4").state == "failed"
    assert TOO_SLOW in logged()


@pytest.fixture
def stuck_resolver(mocker: MockerFixture) -> Iterator[None]:
    """A name server that does not answer while the test runs."""
    released = threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        released.wait(SOON_S)
        raise OSError("no answer")

    mocker.patch.object(socket, "getaddrinfo", look_up)
    yield
    released.set()


def test_a_name_that_is_looked_up_for_ever_is_given_up(stuck_resolver: None, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(TransientError, match="too slow"):
        download("https://slow.example/video.mp4", tmp_path, max_bytes=10, total_s=0.2)
    assert time.monotonic() - started < SOON_S / 2


NO_LINKS = (
    *(f"https://{'a' * 70}.example/x", "https://x..example/x", "https://xn--a/x", "https://./x"),
    *("https://[::1/x", "https://example.com:port/x", f"https://me:{SIGNATURE}/x@example.com/x"),
)


@pytest.mark.parametrize("link", NO_LINKS)
def test_a_link_that_is_none_is_refused_in_words(link: str, https_server: HttpsServer, tmp_path: Path) -> None:
    """Given by a person or by a redirect, it ends in an error of ours, without its signature."""

    def redirect(server: HttpsServer, connection: socket.socket) -> None:
        location = f"Location: {link}?{SIGNATURE}\r\n".encode()
        server.tls(connection).sendall(b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n")

    https_server.behave = redirect
    for url in (f"{link}?{SIGNATURE}", f"{https_server.url}/video.mp4"):
        with pytest.raises(ValidationError, match="link is not valid") as refusal:
            download(url, tmp_path, max_bytes=10)
        assert SIGNATURE not in str(refusal.value)


def redirect_to_a_signed_link(server: HttpsServer, connection: socket.socket) -> None:
    location = f"Location: /video.mp4?{SIGNATURE}\r\n".encode()
    secured = server.tls(connection)
    if SIGNATURE in server.asked:
        secured.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    else:
        secured.sendall(b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n")


def test_a_signed_link_behind_a_redirect_is_in_no_log(
    https_server: HttpsServer,
    transcode: Callable[..., DagResult],
    logged: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even where everything is logged: the HTTP library tells of a server's headers."""
    caplog.set_level(logging.DEBUG)
    https_server.behave = redirect_to_a_signed_link
    assert transcode(f"{https_server.url}/video.mp4").state == "failed"
    told = logged()
    assert "/video.mp4?… answered 404" in told
    assert SIGNATURE not in told


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "169.254.169.254", "168.63.129.16", "192.0.0.192", "100.100.100.200", "[fec0::1]", "[5f00::1]"),
        *("localhost", "10.0.0.1", "[::1]"),
        *("[64:ff9b:1::a00:1]", "[::a9fe:a9fe]", "[::ffff:0:a9fe:a9fe]", "[::ffff:169.254.169.254]", "[3fff::1]"),
    ],
)
def test_a_link_into_the_workers_own_network_is_refused(host: str, mocker: MockerFixture) -> None:
    """No byte is sent to it: a cloud's metadata service gives its secrets to whoever asks."""
    asked: list[Any] = []
    mocker.patch.object(socket, "create_connection", lambda *to, **_: asked.append(to))
    link = f"https://{host}/latest/meta-data"
    with pytest.raises(ValidationError, match=r"is not a public address.*private_sources"), as_local_file(link):
        pass
    assert not asked


def test_a_task_whose_link_leads_into_its_own_network_fails(
    transcode: Callable[..., DagResult], logged: Callable[[], str]
) -> None:
    assert transcode("https://169.254.169.254/latest/meta-data").state == "failed"
    assert "is not a public address" in logged()


@pytest.fixture
def signed_video(https_server: HttpsServer, portrait_video: Path) -> str:
    """A signed link to a video that complies already."""

    def serve(server: HttpsServer, connection: socket.socket) -> None:
        body = portrait_video.read_bytes()
        server.tls(connection).sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    https_server.behave = serve
    return f"{https_server.url}/reel.mp4?{SIGNATURE}&X-Amz-Date=20300101"


def _stored_fields() -> str:
    """Return the rendered fields of all tasks of all runs, as Airflow's database holds them."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return str(session.scalars(select(RenderedTaskInstanceFields.rendered_fields)).all())


def test_a_signed_link_to_a_video_that_complies_ends_with_an_unchanged_copy(
    signed_video: str,
    transcode: Callable[..., DagResult],
    portrait_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: Callable[[], str],
) -> None:
    """The signature is in no XCom, no stored field and no log. Done again, the copy is found."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", f"{tmp_path}/work")
    result = transcode(signed_video)
    assert result.state == "success"
    (copy,) = (tmp_path / "work").iterdir()
    assert result.xcom("transcode") == str(copy)
    assert copy.read_bytes() == portrait_video.read_bytes()
    report = result.xcom("transcode", key="report")
    assert report["tier"] == "pass"
    assert "/reel.mp4?***" in _stored_fields()
    assert "5ec7e75ec7e7" not in f"{report}{_stored_fields()}{logged()}"
    assert transcode(signed_video).xcom("transcode") == str(copy)


def test_a_signed_link_with_no_place_for_a_copy_is_refused_in_words(
    signed_video: str,
    transcode: Callable[..., DagResult],
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", "")
    assert transcode(signed_video).state == "failed"
    told = logged()
    assert "may be signed, so it cannot be used itself. Set output= on the task, or [instagram] work_prefix" in told
    assert "5ec7e75ec7e7" not in told


def test_a_link_without_a_query_is_handed_on_as_it_is(signed_video: str, transcode: Callable[..., DagResult]) -> None:
    link = signed_video.partition("?")[0]
    assert transcode(link).xcom("transcode") == link


def test_a_signature_that_comes_from_an_xcom_to_mapped_tasks_is_not_stored(
    run_dag: RunDag, instagram_sandbox: object
) -> None:
    """The links are refused here, for they lead nowhere: what is stored before that is the point."""
    from airflow.sdk import DAG, task

    from airflow_provider_instagram.operators import CreateContainerOperator, TranscodeOperator

    link = f"https://127.0.0.1:9/xcoms.mp4?{SIGNATURE}2"

    with DAG("signed_xcoms", schedule=None) as dag:

        @task
        def links() -> list[str]:
            return [link]

        @task
        def posts() -> list[dict[str, str]]:
            return [{"video": link, "cover_url": f"{link}cover", "caption": "Look: https://shop.example/?utm=summer"}]

        TranscodeOperator.partial(task_id="transcode", retries=0).expand(source=links())
        CreateContainerOperator.partial(task_id="create", upload="file", retries=0).expand_kwargs(posts())

    run_dag(dag)
    stored = _stored_fields()
    assert stored.count("https://127.0.0.1:9/xcoms.mp4?***") == 3
    assert "5ec7e75ec7e7" not in stored
    assert "https://shop.example/?utm=summer" in stored


def test_a_signature_among_the_files_of_a_carousel_is_not_stored(run_dag: RunDag, instagram_sandbox: object) -> None:
    """The example DAG renders its list as one text, in which no field begins with a link."""
    link = f"https://127.0.0.1:9/carousel.jpg?{SIGNATURE}3&X-Amz-Date=20300101"
    dag = load_dag(ROOT / "dags/publish_carousel.py")
    dag.get_task("transcode").retries = 0
    run_dag(dag, files=[link, link], caption="Two")
    stored = _stored_fields()
    assert stored.count("https://127.0.0.1:9/carousel.jpg?***") == 2
    assert f"{SIGNATURE}3" not in stored


def test_a_signature_that_a_function_returns_to_mapped_tasks_is_not_stored(
    run_dag: RunDag, instagram_sandbox: object
) -> None:
    """Airflow calls a function in place of a field, and renders nothing then."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, TranscodeOperator

    def signed(context: object, jinja_env: object) -> str:
        return f"https://127.0.0.1:9/function.mp4?{SIGNATURE}4"

    function: Any = signed
    with DAG("signed_function", schedule=None) as dag:
        TranscodeOperator.partial(task_id="transcode", source=function, retries=0).expand(fit=["pad"])
        CreateContainerOperator.partial(task_id="create", upload="file", retries=0).expand_kwargs([{"video": function}])
    run_dag(dag)
    stored = _stored_fields()
    assert stored.count("https://127.0.0.1:9/function.mp4?***") == 2
    assert f"{SIGNATURE}4" not in stored
