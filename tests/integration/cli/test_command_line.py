"""``airflow instagram …`` as a shell gives it, on the ledger of real runs."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


def publishing_dag(video: Path, post_key: str) -> DAG:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    with DAG("on_the_ledger", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", video=str(video), caption=post_key, post_key=post_key, wait_for_completion=True, retries=0
        )
        # from Airflow 3.4 on, the policy waits for a rate limit
        PublishOperator(task_id="publish", container_id=create.output, retries=0, retry_policy=None)
    return dag


@pytest.mark.parametrize("post_key", ["a short key", "k" * 700], ids=["short key", "long key"])
def test_a_post_is_listed_shown_and_forgotten(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any, post_key: str
) -> None:
    dag = publishing_dag(portrait_video, post_key)
    assert run_dag(dag).state == "success"
    (post,) = instagram_sandbox.posts
    assert post.container_id is not None

    assert "live" in shell("ledger", "list")
    assert post.media_id in shell("ledger", "show", post_key)

    assert "Forgot" in shell("ledger", "forget", post_key, "--yes")
    with pytest.raises(SystemExit, match="has no post"):
        shell("ledger", "show", post_key)
    assert run_dag(dag).state == "success"
    assert len(instagram_sandbox.posts) == 2


@pytest.mark.parametrize("answer", ["--live", "--not-live"])
def test_an_open_outcome_is_settled_by_a_person(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any, answer: str, quick_list: None
) -> None:
    """Instagram makes the post, and calls it a duplicate. Whatever the person says, there is one post."""
    post_key = f"open {answer}"
    dag = publishing_dag(portrait_video, post_key)
    instagram_sandbox.switch(visible_after_s=0)
    instagram_sandbox.fail("publish", 506, when="after")
    assert run_dag(dag).states()["publish"] == "failed"
    assert "open" in shell("ledger", "list")

    assert post_key in shell("ledger", "settle", post_key, answer)
    result = run_dag(dag)
    assert result.state == "success"
    assert result.xcom("publish")["already_published"] is True
    assert len(instagram_sandbox.posts) == 1


def test_a_key_that_a_vanished_dag_claims_is_released_by_a_person(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any
) -> None:
    from airflow_provider_instagram.ledger.database import open_ledger
    from airflow_provider_instagram.ledger.ledger import Ledger

    instagram_sandbox.fail("limit", 80002)
    assert run_dag(publishing_dag(portrait_video, "claimed")).states()["publish"] == "failed"
    assert "claimed as not live" in shell("ledger", "settle", "claimed", "--not-live")
    with open_ledger("instagram_default") as store:
        assert Ledger(store, "instagram_default").claim("claimed") is None
    assert run_dag(publishing_dag(portrait_video, "claimed")).state == "success"


def test_a_question_without_a_terminal_is_said_in_a_sentence(shell: Any, mocker: MockerFixture) -> None:
    mocker.patch("sys.stdin", io.StringIO())
    with pytest.raises(SystemExit, match="Run it in a terminal"):
        shell("ledger", "reseal", "--trust")


def test_what_is_not_open_is_not_settled(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any
) -> None:
    assert run_dag(publishing_dag(portrait_video, "closed")).state == "success"
    with pytest.raises(SystemExit, match="'closed' has no unknown outcome to settle"):
        shell("ledger", "settle", "closed", "--live")
    with pytest.raises(SystemExit, match="one of --live and --not-live"):
        shell("ledger", "settle", "closed")


def test_a_post_that_a_restored_backup_lacks_is_recorded_and_not_made_again(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any
) -> None:
    """The commands of the page about upgrades: the list from before, and what is recorded after it."""
    dag = publishing_dag(portrait_video, "lost")
    before = run_dag(dag).xcom("publish")
    shell("ledger", "forget", "lost", "--yes")  # the backup is older
    with pytest.raises(SystemExit, match="'lost' has no unknown outcome to settle"):
        shell("ledger", "settle", "lost", "--live")
    page = (Path(__file__).parents[3] / "docs/operate/upgrade.md").read_text()
    (command,) = re.findall(r"^ *airflow instagram (ledger settle .*)$", page, re.MULTILINE)
    words = command.replace("POST_KEY", "lost").replace("PERMALINK", before["permalink"]).split()
    assert "Recorded lost as live" in shell(*words)
    after = run_dag(dag)
    assert (after.state, after.xcom("publish")["permalink"]) == ("success", before["permalink"])
    assert len(instagram_sandbox.posts) == 1


def test_an_account_without_a_ledger_is_said_to_have_none(shell: Any) -> None:
    with pytest.raises(SystemExit, match="There is no connection 'nobody'"):
        shell("ledger", "list", "--conn-id", "nobody")


def test_a_file_is_checked(shell: Any, portrait_video: Path, landscape_mov: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    codes = {}
    for file in (portrait_video, landscape_mov, tmp_path / "text.mp4"):
        with pytest.raises(SystemExit) as ended:
            shell("check", str(file))
        codes[file.name] = ended.value.code
    assert codes == {"reel.mp4": 0, "camera.mov": 1, "text.mp4": 2}


def test_a_sandbox_whose_port_is_taken_says_so(
    shell: Any, instagram_sandbox: SandboxHandle, mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    mocker.patch.object(signal, "signal", return_value=None)  # this process is not the command's alone
    with pytest.raises(SystemExit) as ended:
        shell("sandbox", "--port", instagram_sandbox.url.rpartition(":")[2])
    assert ended.value.code == 2
    assert "Choose another --port" in capsys.readouterr().err


WITHOUT_THE_SANDBOX = """
import sys
sys.modules["instagram_sandbox"] = None
from airflow.__main__ import main
sys.argv[:1] = ["airflow", "instagram", "sandbox"]
main()
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [([], 2), (["--strict", "--port", "0"], 2), (["--help"], 0)],
    ids=["alone", "a flag and an option", "help"],
)
def test_the_command_of_a_missing_sandbox_names_how_to_get_it(airflow_db: None, words: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_SANDBOX, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code
    assert "run: pip install ./sandbox" in " ".join((done.stdout + done.stderr).split())
    assert "\\" not in done.stdout
    assert "unrecognized" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], ("Check whether a video or a picture meets", "Exit codes: 0, it does")),
        (["doctor"], ("Check everything that publishing needs", "Exit codes: 0, no problem")),
        (["ledger", "reseal"], ("the first key of [core] fernet_key",)),
        (["ledger"], ("the first key of [core] fernet_key",)),
    ],
)
def test_the_help_of_a_command_begins_with_what_it_does_and_keeps_brackets(
    airflow_db: None, capsys: pytest.CaptureFixture[str], words: list[str], said: tuple[str, ...]
) -> None:
    from airflow.cli.cli_parser import get_parser

    with pytest.raises(SystemExit):
        get_parser().parse_args(["instagram", *words, "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert all(text in printed for text in said), printed


def test_each_table_is_json_with_names_for_machines(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any, capsys: Any
) -> None:
    assert run_dag(publishing_dag(portrait_video, "listed")).state == "success"
    capsys.readouterr()  # what the run has logged
    commands = (["accounts"], ["ledger", "list"], ["doctor", "instagram_default"])
    for words in commands:
        try:
            printed = shell(*words, "-o", "json")
        except SystemExit:  # the doctor exits with its verdict
            printed = capsys.readouterr().out
        rows = json.loads(printed)
        names = {name for row in rows for name in row}
        assert rows, words
        assert all(re.fullmatch("[a-z_0-9]+", name) for name in names), names


def rows_of(post_key: str, age_days: int | None = None) -> set[str]:
    """Return the kinds of a post's rows. First, let the rows be so old as if nothing had written them since."""
    from airflow.models.asset_state_store import AssetStateStoreModel
    from sqlalchemy import update

    from airflow_provider_instagram.ledger import database

    with database.open_ledger("instagram_default") as store:
        if age_days is not None:
            written = datetime.now(timezone.utc) - timedelta(days=age_days)
            store.session.execute(update(AssetStateStoreModel).values(updated_at=written))
        return {key.partition(":")[0] for key in database.rows_of(store, post_key)}


def test_old_rows_are_deleted_and_no_post_is_made_twice(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any, quick_list: None
) -> None:
    done, undecided = publishing_dag(portrait_video, "done"), publishing_dag(portrait_video, "undecided")
    assert run_dag(done).state == "success"
    instagram_sandbox.switch(visible_after_s=0)
    instagram_sandbox.fail("publish", 506, when="after")
    assert run_dag(undecided).states()["publish"] == "failed"
    everything = rows_of("undecided", 89)
    assert {"claim", "container", "containers", "intent"} < rows_of("done")
    assert "instagram_default: 0 rows deleted" in shell("ledger", "prune")

    assert rows_of("undecided", 91) == everything
    assert "rows deleted" in shell("ledger", "prune")
    assert rows_of("done") == {"done", "media", "container", "quota-attempt"}
    assert rows_of("undecided") == everything
    again = run_dag(done)
    assert (again.state, again.xcom("publish")["already_published"]) == ("success", True)
    assert "open" in shell("ledger", "list")
    assert len(instagram_sandbox.posts) == 2
    with pytest.raises(SystemExit, match="Use at least 30"):
        shell("ledger", "prune", "--days", "3")


def test_old_rows_of_what_was_told_of_posts_are_deleted_and_those_of_problems_stay(shell: Any) -> None:
    from airflow.models.asset import AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    uri, now = "instagram://calendar/told-long-ago/events", datetime.now(timezone.utc)
    with create_session() as session:
        session.add(asset := AssetModel(uri=uri, name=uri, group="asset"))
        session.flush()
        for key, days in (("told:studio/old", 91), ("told:studio/new", 89), ("problems", 91)):
            at = now - timedelta(days=days)
            session.add(AssetStateStoreModel(asset_id=asset.id, key=key, value="{}", updated_at=at))
    assert "Notifications of posts: " in shell("ledger", "prune", "--days", "90")
    with create_session() as session:
        rows = select(AssetStateStoreModel.key).join(AssetModel, AssetModel.id == AssetStateStoreModel.asset_id)
        assert {*session.scalars(rows.where(AssetModel.uri == uri))} == {"told:studio/new", "problems"}


def test_airflow_db_clean_deletes_nothing_that_keeps_the_promise(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    """Also if it deletes the DAG, its runs and all events: the alias keeps the ledger until the DAG is there again."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.asset import AssetEvent
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.db_cleanup import run_cleanup
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    def look_for_orphans() -> None:
        SchedulerJobRunner(Job())._update_asset_orphanage()

    # Airflow deletes no DAG, and no further table, while it keeps a run of one DAG. Another test may have left one.
    with create_session() as session:
        session.execute(delete(DagRun))
    dag = publishing_dag(portrait_video, "cleaned")
    assert run_dag(dag).state == "success"
    look_for_orphans()
    before = rows_of("cleaned")
    for _ in range(2):  # what still refers to a row goes first
        run_cleanup(clean_before_timestamp=pendulum.now("UTC").add(days=1), confirm=False, skip_archive=True)
    with create_session() as session:
        assert [session.get(DagModel, dag.dag_id), session.scalar(select(AssetEvent.id))] == [None, None]
    look_for_orphans()
    assert rows_of("cleaned") == before
    again = run_dag(dag)
    assert (again.state, again.xcom("publish")["already_published"]) == ("success", True)
    assert len(instagram_sandbox.posts) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("refresh", "nope"),
        ("audio", "nope", "sun"),
        ("places", "Café", "--conn-id", "nope"),
        ("ledger", "list", "--conn-id", "nope"),
        ("ledger", "show", "a/b", "--conn-id", "nope"),
        ("ledger", "settle", "a/b", "--live", "--conn-id", "nope"),
    ],
)
def test_a_command_on_a_connection_that_does_not_exist_says_how_to_create_it(
    shell: Any, words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        shell(*words)
    assert str(ended.value) == (
        "There is no connection 'nope'. Check the id, or create it: on Airflow's page Admin, Instagram, with airflow "
        "instagram connect nope, or, if you have a token, with airflow connections add nope --conn-type instagram "
        "--conn-password TOKEN"
    )


def test_the_doctor_says_how_to_create_a_connection_that_does_not_exist(shell: Any, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        shell("doctor", "nope")
    assert "There is no connection 'nope'. Check the id, or create it:" in " ".join(capsys.readouterr().out.split())


def test_rows_of_others_are_shown_and_the_ledger_is_sealed_again(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, shell: Any
) -> None:
    """A forged row is told, a new key makes seals of its own, and what nobody can verify is left to a person."""
    from airflow.state import get_state_backend

    from airflow_provider_instagram.exceptions import LedgerRowError
    from airflow_provider_instagram.ledger.database import open_ledger, prune
    from airflow_provider_instagram.ledger.ledger import Ledger

    assert run_dag(publishing_dag(portrait_video, "sealed")).state == "success"
    with open_ledger("instagram_default") as store:
        forged = json.dumps({"form": 1, "row": {"post_key": "forged"}, "seal": "0" * 64})
        get_state_backend().set(store._scope, "done:forged", forged, session=store.session)
    said = "The row 'done:forged' of connection 'instagram_default' was not written by a task of this provider"
    assert said in shell("ledger", "list")
    assert said in shell("ledger", "show", "forged")
    with open_ledger("instagram_default") as store, pytest.raises(LedgerRowError):
        prune(store, datetime.now(timezone.utc))
    assert f"nothing deleted. {said}" in shell("ledger", "prune")
    assert "1 left as they are done:forged" in shell("ledger", "reseal")
    with open_ledger("instagram_default") as store:
        assert Ledger(store, "instagram_default").post("sealed") is not None
        get_state_backend().set(store._scope, "approval:another-key", forged, session=store.session)
    assert "0 left as they are" in shell("ledger", "reseal", "--trust", "--yes")
    with open_ledger("instagram_default") as store:
        assert store.get("approval:another-key") is None
    assert said not in shell("ledger", "show", "forged")
    assert "Forgot done:forged (1 rows deleted)" in shell("ledger", "forget", "done:forged", "--yes")
    with open_ledger("instagram_default") as store:
        get_state_backend().set(store._scope, "done:cut-off", forged[:-5], session=store.session)
    assert "The row 'done:cut-off' of connection 'instagram_default' has no seal" in shell("ledger", "list")
    assert "Forgot done:cut-off (1 rows deleted)" in shell("ledger", "forget", "done:cut-off", "--yes")
