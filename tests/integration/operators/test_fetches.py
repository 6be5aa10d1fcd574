"""Links that Instagram cannot fetch for a while: the post goes out when they work again, and each container counts."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import MediaNotFetchedError, MediaRejectedError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from airflow_provider_instagram.publishing import sources
from tests.integration.account import DictStore
from tests.integration.certificate import certificate
from tests.integration.link_host import LinkHost, link_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import RunDag

RETRIES = 8


@pytest.fixture
def host(airflow_db: None, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> Iterator[LinkHost]:
    """A link host that this worker may ask as well, although it is on this machine."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PRIVATE_SOURCES", "True")
    instagram_sandbox.switch(processing={"after_s": 0})
    with link_host(instagram_sandbox.now) as running:
        yield running


@pytest.fixture
def secure_host(host: LinkHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LinkHost]:
    """A host whose certificate this worker trusts."""
    files = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with link_host(host.clock, files) as running:
        yield running


class Tries:
    """The tries of a create task, one after the other. A Clear begins another round."""

    def __init__(self, sandbox: SandboxHandle, **arguments: Any) -> None:
        self.sandbox, self.arguments = sandbox, {"deferrable": False, "retries": RETRIES, **arguments}
        self.store, self.tried, self.max_tries = DictStore(), 0, RETRIES

    def try_once(self) -> str | MediaNotFetchedError:
        self.tried += 1
        told = SimpleNamespace(add=lambda *_, **__: None, limit=lambda number: [None] * number)
        everything = type("Everything", (dict,), {"__missing__": lambda *_: told})()
        names = {"dag_id": "dag", "run_id": "run", "task_id": "create", "map_index": -1}
        ti = SimpleNamespace(**names, try_number=self.tried, max_tries=self.max_tries)
        store = {ledger_asset("instagram_default"): self.store}
        run = SimpleNamespace(run_after=None, run_type="scheduled")
        context: Any = {
            "ti": ti,
            "asset_state_store": store,
            "dag_run": run,
            "outlet_events": everything,
            "inlet_events": everything,
        }
        try:
            return CreateContainerOperator(task_id="create", **self.arguments).execute(context)
        except MediaNotFetchedError as error:
            return error

    def until_made(self) -> tuple[str, list[timedelta]]:
        """Return the container, and how long Airflow waits before each retry."""
        pauses: list[timedelta] = []
        while isinstance(result := self.try_once(), MediaNotFetchedError):
            assert result.retry_after is not None
            assert "secret" not in f"{result}"
            pauses.append(result.retry_after)
            self.sandbox.advance(result.retry_after)
        return result, pauses

    def clear(self) -> None:
        self.max_tries = self.tried + RETRIES


def media(kind: str, host: LinkHost, picture: Path, video: Path) -> dict[str, Any]:
    linked: dict[str, dict[str, Any]] = {
        "picture": {"image": host.link(picture)},
        "carousel": {"carousel": [host.link(picture), {"image": host.link(picture), "alt_text": "Again"}]},
        "reel by link": {"video": host.link(video), "upload": "url"},
        "story": {"image": host.link(picture), "placement": "story"},
    }
    return linked[kind]


KINDS = ("picture", "carousel", "reel by link", "story")


@pytest.mark.parametrize("for_everybody", [False, True], ids=["for Instagram alone", "for everybody"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_fails_for_two_minutes_loses_no_post(
    instagram_sandbox: SandboxHandle,
    host: LinkHost,
    square_picture: Path,
    portrait_video: Path,
    kind: str,
    for_everybody: bool,
) -> None:
    """Each retry fetches again with a new container, later each time. While the link fails here, too, none is made."""
    create = Tries(instagram_sandbox, **media(kind, host, square_picture, portrait_video))
    host.fails(120, for_everybody=for_everybody)
    container_id, pauses = create.until_made()
    assert pauses == [timedelta(seconds=one) for one in (20, 40, 80)]
    states = {one.container_id: one.status_code for one in instagram_sandbox.containers}
    assert states[container_id] == "FINISHED"
    refused = [entry for entry in instagram_sandbox.journal("create") if entry.outcome == "9004/2207052"]
    assert list(states.values()).count("ERROR") + len(refused) == (1 if for_everybody else 3)


def test_a_link_is_given_up_when_it_is_refused_here_as_well(
    instagram_sandbox: SandboxHandle, host: LinkHost, square_picture: Path
) -> None:
    """Not at once: a file may be moved, or a permission come late."""
    create = Tries(instagram_sandbox, image=host.link(square_picture))
    host.fails(3600, 403, for_everybody=True)
    with pytest.raises(ValidationError, match=r"square\.jpg.* answers 403 to this worker as well") as refused:
        create.until_made()
    assert "secret" not in str(refused.value)
    assert create.tried == sources.PATIENT_TRIES + 1
    assert instagram_sandbox.calls("create") == 1


def test_a_fetch_that_may_have_failed_for_the_file_is_repeated_eight_times_in_a_round(
    instagram_sandbox: SandboxHandle, host: LinkHost, portrait_video: Path
) -> None:
    """A person who clears the task begins another round. The first container of it is made at once."""
    create = Tries(instagram_sandbox, video=host.link(portrait_video))
    instagram_sandbox.process_next(outcome="error", subcode=2207076, times=9)
    with pytest.raises(MediaRejectedError, match="2207076"):
        create.until_made()
    assert instagram_sandbox.calls("create") == 8
    create.clear()
    container_id, pauses = create.until_made()
    assert pauses == [timedelta(seconds=20)]
    assert instagram_sandbox.containers[-1].container_id == container_id


@pytest.mark.parametrize("medium", ["picture", "video"])
def test_the_error_speaks_of_the_medium(
    instagram_sandbox: SandboxHandle, host: LinkHost, square_picture: Path, portrait_video: Path, medium: str
) -> None:
    file = square_picture if medium == "picture" else portrait_video
    host.fails(60)
    create = Tries(instagram_sandbox, **{"image" if medium == "picture" else "video": host.link(file)})
    error = str(create.try_once()).replace("Only photo or video can be accepted as media type.", "")
    assert f"The {medium} must be served" in error
    assert ("video" in error) == (medium == "video")


def test_a_refusal_on_create_is_a_fetch_that_failed(
    instagram_sandbox: SandboxHandle, host: LinkHost, square_picture: Path
) -> None:
    """Meta refuses some pictures in the answer to create. There is no container then."""
    create = Tries(instagram_sandbox, image=host.link(square_picture))
    instagram_sandbox.fail("create", code=9004, subcode=2207052, times=2)
    container_id, pauses = create.until_made()
    assert pauses == [timedelta(seconds=20), timedelta(seconds=40)]
    assert [one.container_id for one in instagram_sandbox.containers] == [container_id]


@pytest.mark.parametrize(("kind", "uploads"), [("video", 1), ("carousel", 2), ("image", 0)])
def test_what_instagram_has_not_fetched_twice_is_sent_as_a_copy(
    instagram_sandbox: SandboxHandle,
    secure_host: LinkHost,
    portrait_video: Path,
    square_picture: Path,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    uploads: int,
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/public/")
    video = secure_host.link(portrait_video)
    media = {"video": video, "carousel": [video] * 2, "image": secure_host.link(square_picture)}
    create = Tries(instagram_sandbox, **{kind: media[kind]})
    secure_host.fails(10**9)
    container_id, pauses = create.until_made()
    assert pauses == [timedelta(seconds=20), timedelta(seconds=40)]
    assert instagram_sandbox.calls("upload") == uploads
    assert create.try_once() == container_id


def test_the_plain_chain_waits_for_the_link_and_publishes_once(
    instagram_sandbox: SandboxHandle,
    run_dag: RunDag,
    host: LinkHost,
    portrait_video: Path,
    mocker: MockerFixture,
) -> None:
    """Create waits for what Instagram fetches, because the tasks after it cannot create another container."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.sensors import ContainerStatusSensor

    mocker.patch.object(sources, "FIRST_PAUSE", timedelta(seconds=0.1))
    instagram_sandbox.process_next(outcome="error", subcode=2207003)
    with DAG("plain_chain_by_link", schedule=None) as dag:
        create = CreateContainerOperator(task_id="create", video=host.link(portrait_video), deferrable=False)
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output)
        PublishOperator(task_id="publish", container_id=wait.output)
    result = run_dag(dag)
    assert result.state == "success"
    assert [post.container_id for post in instagram_sandbox.posts] == [str(result.xcom("create"))]
    assert instagram_sandbox.calls("create") == 2
