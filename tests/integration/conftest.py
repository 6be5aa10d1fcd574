"""What the integration tests share: videos, DAGs that run in this process against the sandbox, and browsers."""

from __future__ import annotations

import importlib.util
import json
import threading
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.utils.clock import CLOCK
from tests.clips import ClipCache
from tests.integration.account import Account
from tests.integration.pages import HOME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import DAG
    from fastapi import FastAPI
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture(autouse=True)
def clock_that_was_not_compared(mocker: MockerFixture) -> None:
    """A task has a process of its own, and compares its clock with that of its own Instagram."""
    mocker.patch.object(CLOCK, "_offset", None)


@pytest.fixture(autouse=True)
def encoder(mocker: MockerFixture) -> None:
    """Encode in two thirds of the time. Only the room ``media`` looks at what comes out."""
    mocker.patch("airflow_provider_instagram.media.command.PRESET", "superfast")


class RunDag(Protocol):
    """Runs a DAG to its end."""

    def __call__(self, dag: DAG, **conf: Any) -> DagResult:
        """Run the DAG with the run parameters ``conf``."""


class DagResult:
    """A finished run: its state, its tasks and their XComs."""

    def __init__(self, run: Any) -> None:
        self.run = run
        self.state = str(run.state)

    def states(self) -> dict[str, str]:
        """Return the state of each task instance, mapped ones as ``task[index]``."""
        return {_name(ti): str(ti.state) for ti in self.run.get_task_instances()}

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Read an XCom."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        with create_session() as session:
            row = session.scalar(
                XComModel.get_many(
                    run_id=self.run.run_id,
                    dag_ids=self.run.dag_id,
                    task_ids=task_id,
                    map_indexes=map_index,
                    key=key,
                )
            )
            return None if row is None else XComModel.deserialize_value(row)


def _name(ti: Any) -> str:
    return ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"


@pytest.fixture
def run_dag(airflow_db: None) -> RunDag:
    """Run DAGs in this process, as ``airflow dags test`` does."""

    def run(dag: DAG, **conf: Any) -> DagResult:
        store_dag(dag)
        return DagResult(dag.test(run_conf=conf or None))

    return run


def store_dag(dag: DAG) -> None:
    """Store an in-memory DAG the way the DAG processor would: ``dag.test()`` makes a run of the stored one."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
    with create_session() as session:
        stored = LazyDeserializedDAG.from_dag(dag)
        update_dag_parsing_results_in_db("dags-folder", None, [stored], {}, None, set(), session=session)


def load_dag(path: Path) -> DAG:
    """Import a DAG file, and return its DAG."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dag: DAG = module.dag
    return dag


@pytest.fixture
def account(instagram_sandbox: SandboxHandle) -> Iterator[Account]:
    """An account with its ledger in memory, on the sandbox's clock."""
    with GraphClient(instagram_sandbox.token, base_url=instagram_sandbox.url) as client:
        yield Account(instagram_sandbox, client)


@pytest.fixture
def quick_list(mocker: MockerFixture) -> None:
    """Shorten the wait for a post to be listed to seconds, as the sandbox does."""
    mocker.patch("airflow_provider_instagram.publishing.outcome.POST_VISIBLE_WITHIN", timedelta(seconds=2))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server on this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> str:
    """An empty bucket, as an Airflow URI that names its connection."""
    import boto3

    extra = {"endpoint_url": s3_server, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MEDIA", json.dumps(connection))
    mocker.patch("airflow.sdk.io.store._STORE_CACHE", {})  # it may hold one that a test without a bucket opened
    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="clips")
    return "s3://media@clips"


@pytest.fixture(params=["a folder", "object storage"])
def snapshots(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """``[instagram] calendar_snapshots``: a folder, or a prefix in object storage."""
    folder = str(tmp_path / "kept") if request.param == "a folder" else f"{request.getfixturevalue('bucket')}/kept/"
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", folder)
    return folder


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """Three pictures that comply, as files and behind links on this machine."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("gallery")
    for name, colour in (("one", "teal"), ("two", "orange"), ("three", "purple")):
        Image.new("RGB", (640, 640), colour).save(folder / f"{name}.jpg", quality=80)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Gallery(folder, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()


@dataclass(frozen=True)
class Gallery:
    """Pictures in a folder, and the address of the server that serves them."""

    folder: Path
    url: str

    def link(self, name: str) -> str:
        return f"{self.url}/{name}.jpg"

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.jpg")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipCache:
    """The clips of this test run."""
    return ClipCache(tmp_path_factory)


@pytest.fixture(scope="session")
def portrait_video(clips: ClipCache) -> Path:
    """A reel that complies: 4 s of 540x960 H.264 with AAC sound, its moov atom first and no edit list."""
    return clips.get("reel.mp4", *moving_pattern("540x960", rate=24), *FAITHFUL_MP4)


@pytest.fixture(scope="session")
def square_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that complies: a JPEG of 640x640."""
    from PIL import Image

    path = tmp_path_factory.mktemp("pictures") / "square.jpg"
    Image.linear_gradient("L").resize((640, 640)).convert("RGB").save(path, quality=90)
    return path


@pytest.fixture(scope="session")
def landscape_mov(clips: ClipCache) -> Path:
    """What a camera records, but small, for it is encoded often: 3.2 s of 540x304 in a MOV, with sound."""
    return clips.get("camera.mov", *moving_pattern("540x304", rate=24, seconds=3.2))


FAITHFUL_MP4 = (
    *("-bf", "0", "-flags", "+cgop", "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709"),
    *("-color_trc", "bt709", "-color_range", "tv", "-movflags", "+faststart", "-use_editlist", "0"),
)


def moving_pattern(size: str, rate: int = 30, seconds: float = 4) -> tuple[str, ...]:
    """Return what ffmpeg is told to make a test pattern with a tone."""
    return (
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-b:v", "2M", "-maxrate", "3M", "-bufsize", "3M"),
        *("-c:a", "aac", "-b:a", "128k", "-ac", "2"),
    )


@pytest.fixture
def airflow_pages(no_stored_tokens: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The API server's side of Airflow in this process, for the pages below /instagram. It leaves no history."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.models import Connection, DagRun, Log, TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", HOME)
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    create_auth_manager()
    yield
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_type.in_(["instagram", "http"])))
        for model in (Log, TaskInstance, DagRun):
            session.execute(delete(model))


@pytest.fixture(scope="session")
def _airflow_app(airflow_db: None) -> FastAPI:
    """Airflow's API server with its pages and ours, which takes seconds to make."""
    from airflow.api_fastapi.app import create_app

    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("AIRFLOW__API__BASE_URL", HOME)
        settings.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
        return create_app("core")


@pytest.fixture
def airflow_app(_airflow_app: FastAPI) -> Iterator[FastAPI]:
    """Airflow's API server, which remembers no DAG of an earlier test."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.common.dagbag import create_dag_bag

    _airflow_app.state.dag_bag = create_dag_bag()
    yield _airflow_app
    create_auth_manager()


@pytest.fixture
def browser_of() -> Any:
    """A browser in which a user is logged in; its pages are below /instagram, as Airflow mounts them."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from airflow_provider_instagram.plugin import answer
    from airflow_provider_instagram.plugin.app import app

    class Browser(TestClient):
        def __init__(self, name: str, role: str, root_path: str = "") -> None:
            outer = FastAPI(root_path=root_path)
            outer.mount("/instagram", answer)
            super().__init__(outer, base_url=HOME, follow_redirects=False)
            self.user = SimpleAuthManagerUser(username=name, role=role)

        def request(self, *args: Any, **kwargs: Any) -> Any:
            app.dependency_overrides[get_user] = lambda: self.user
            try:
                return super().request(*args, **kwargs)
            finally:
                app.dependency_overrides.clear()

    return Browser


@pytest.fixture
def no_known_posts(airflow_db: None) -> None:
    """Forget what earlier tests have published and read, for they share the events and the ledgers."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    posts = select(AssetModel.id).where(AssetModel.uri.endswith("/posts"))
    with create_session() as session:
        session.execute(delete(AssetStateStoreModel).where(AssetStateStoreModel.key.startswith("insights-")))
        session.execute(delete(AssetEvent).where(AssetEvent.asset_id.in_(posts)))


@pytest.fixture
def shell(airflow_db: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command of ours in this process; gives what it prints, or its exit as the error it is."""
    from airflow.cli.cli_parser import get_parser

    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")  # the commands set it, and this process is not theirs alone

    def run(*words: str) -> str:
        args = get_parser().parse_args(["instagram", *words])
        args.func(args)
        return capsys.readouterr().out

    return run
