"""The main job of each account, whose processes stop or die at the moment that the run's conf names.

Nothing is replaced: a profiler of Python's calls sees the moment come, notes the processes, and sends the signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow.sdk import DAG, Param, get_parsing_context, task

from airflow_provider_instagram.operators import (
    CommentOperator,
    CreateContainerOperator,
    DeleteOperator,
    HideCommentOperator,
    PrivateReplyOperator,
    PublishOperator,
)
from airflow_provider_instagram.sensors import ContainerStatusSensor
from tests.reliability.scenario import CAPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from tests.reliability.scenario import MediaOfPost

#: Where Airflow's own API is in dag.test().
IN_PROCESS = "in-process.invalid."
COMMENT = "The first comment"
ACCOUNTS = int(os.environ.get("RELIABILITY_ACCOUNTS", "1"))
MUSIC = "587000000000001"
ANSWERS = ("Tea", "Coffee")
YES = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": {"id": "1", "name": "anna"}}
PICTURES = ("https://example.com/one.jpg", "https://example.com/two.jpg")
#: How often a task is tried again, by what a scenario does after its disturbance.
RETRIES = {"retried": 3, "once": 0}


class ApprovedDelete(DeleteOperator):
    """Deletes a post, to which a person says yes at once, in the same process."""

    def execute(self, context: Any) -> dict[str, Any]:
        """Send the question, and continue with the yes."""
        from airflow.sdk.exceptions import TaskAwaitingInput

        with mock.patch("airflow_provider_instagram.operators.approval.send", side_effect=lambda asked: asked):
            try:
                return super().execute(context)
            except TaskAwaitingInput as asked:
                known = asked.kwargs or {}
        return self.answered(context, YES, **known)


def disturb(context: Any) -> None:
    """Record which process runs a try, and wait for the moments that the run's conf names."""
    ti, conf = context["ti"], context["dag_run"].conf or {}
    if "notes" not in conf:
        return
    notes = Path(conf["notes"]) / f"{ti.run_id}.{ti.task_id}.{ti.try_number}"
    _write(notes.with_name(f"{notes.name}.json"), {"task": os.getpid(), "supervisor": os.getppid()})
    wanted = [one for one in conf["signals"] if one["task"] == ti.task_id and ti.try_number == 1]

    def at(moment: str, nth: int, request: Any = None) -> None:
        for one in wanted:
            if (one["moment"], one["nth"]) == (moment, nth):
                _send(one, notes.with_name(f"{notes.name}.{moment.replace(' ', '_')}.json"))

    at("start", 1)
    if wanted:
        sys.setprofile(Observer(at))


class Observer:
    """A profiler that sees API calls and writes to the ledger, in the process that makes them.

    :param at: Is called at each moment with its name, how often it has come, and the request.
    """

    def __init__(self, at: Callable[[str, int, Any], None]) -> None:
        import httpx
        from airflow.sdk.execution_time.context import AssetStateStoreAccessor

        self.at = at
        self.seen: Counter[str] = Counter()
        self.codes: dict[CodeType, Callable[[dict[str, Any]], str | None]] = {
            httpx.Client.send.__code__: lambda values: operation(values["request"]),
            AssetStateStoreAccessor.set.__code__: lambda values: f"row {values['key'].partition(':')[0]}",
        }

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if event not in ("call", "return") or (name := self.codes.get(frame.f_code)) is None:
            return
        values = frame.f_locals
        if (what := name(values)) is not None:
            moment = f"{'before' if event == 'call' else 'after'} {what}"
            self.seen[moment] += 1
            self.at(moment, self.seen[moment], values.get("request"))


def operation(request: Any) -> str | None:
    """Return the sandbox's name of a call of Instagram's API."""
    path = request.url.path
    if request.url.host == IN_PROCESS or path.startswith("/_sandbox/"):
        return None
    if request.method == "DELETE":
        return "delete"
    if path.endswith("/debug_token"):
        return "debug_token"
    fields = request.url.params.get("fields", "")
    if path.endswith(("/comments", "/replies")) or "hidden" in fields:
        return "comment" if request.method == "POST" else "comments"
    if path.endswith("/messages"):
        return "message"
    if request.method == "POST" and path.count("/") == 2:  # of a node, without an edge
        return "moderate"
    if request.method == "POST":
        return "upload" if "/ig-api-upload/" in path else "publish" if path.endswith("/media_publish") else "create"
    if path.endswith(("/media", "/stories")):
        return "media_list"
    if path.endswith("/me"):
        return "account"
    return "media" if "permalink" in fields else "status"


def media_conf(media: MediaOfPost, video: Path) -> dict[str, str]:
    """Return what a run has to be told about the media of its post. The sandbox does not fetch the pictures."""
    placement = "story" if media == "story" else "reels"
    # every key is set, since dag.test() keeps the parameters of the run before
    conf = {"video": str(video), "image": "", "carousel": "", "placement": placement, "caption": CAPTIONS[media]}
    conf |= {"audio_id": MUSIC if media == "music" else "", "poll": json.dumps(ANSWERS) if media == "poll" else ""}
    if media == "picture":
        return {**conf, "video": "", "image": PICTURES[0]}
    if media == "carousel":
        return {**conf, "video": "", "carousel": json.dumps([PICTURES[0], str(video), PICTURES[1]])}
    return conf


def _send(one: dict[str, Any], note: Path) -> None:
    pids = {"task": os.getpid(), "supervisor": os.getppid()}
    _write(note, pids)
    for process in one["processes"]:
        os.kill(pids[process], getattr(signal, one["signal"]))


def _write(path: Path, content: Any) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.rename(path)


def main_job(
    dag_id: str,
    conn_id: str,
    retries: int,
    days: dict[str, Any] | None = None,
    *,
    last_task: str = "",
    ask: Callable[[str], str] | None = None,
    **hooks: Any,
) -> DAG:
    """Make the main job of an account.

    :param days: When it runs by itself.
    :param last_task: What follows the publication: ``comment``, ``delete``, an act on a comment, or nothing.
    :param ask: Makes a stranger comment on a post, once, and returns the comment's id.
    :param hooks: Arguments of all its tasks.
    """
    with DAG(
        dag_id=dag_id,
        **(days or {"schedule": None}),
        default_args={
            "instagram_conn_id": conn_id,
            "retries": retries,
            "retry_delay": timedelta(seconds=1),
            **hooks,
        },
        params={
            "video": Param("", type="string"),
            "image": Param("", type="string"),
            "carousel": Param("", type="string"),
            "placement": Param("reels", type="string"),
            "audio_id": Param("", type="string"),
            "poll": Param("", type="string"),
            "caption": Param("", type="string"),
            "post_key": Param("", type="string"),
            "create_waits": Param(False, type="boolean"),
            "sensor_timeout": Param(1800, type="integer"),
        },
    ) as dag:
        key = "{{ params.post_key or dag.dag_id ~ run_id }}"
        create = CreateContainerOperator(
            task_id="create",
            video="{{ params.video }}",
            image="{{ params.image }}",
            carousel="{{ params.carousel }}",
            placement="{{ params.placement }}",
            caption="{{ params.caption }}",
            audio_id="{{ params.audio_id }}",
            poll_attachment="{{ params.poll }}",
            post_key=key,
            wait_for_completion="{{ params.create_waits }}",
        )
        wait = ContainerStatusSensor(
            task_id="wait",
            container_id=create.output,
            poke_interval=1,
            timeout="{{ params.sensor_timeout }}",
        )
        publish = PublishOperator(task_id="publish", container_id=wait.output, post_key=key)
        if last_task == "comment":
            CommentOperator(task_id="comment", media_id=publish.output, message=COMMENT, comment_key=key)
        elif last_task == "delete":
            ApprovedDelete(task_id="delete", media_id=publish.output)
        elif ask is not None:

            @task(task_id="asked", retries=0)
            def asked(published: Any) -> str:
                return ask(published["media_id"])

            comment: Any = asked(publish.output)
            if last_task == "reply":
                CommentOperator(task_id="reply", reply_to=comment, message=COMMENT)
            elif last_task == "hide":
                HideCommentOperator(task_id="hide", comment_id=comment)
            elif last_task == "private_reply":
                PrivateReplyOperator(task_id="private_reply", comment_id=comment, message=COMMENT)
    return dag


#: Never due, but a backfill can make its runs.
A_YEAR_THAT_IS_OVER = {
    "schedule": "@daily",
    "start_date": datetime(2024, 1, 1, tzinfo=timezone.utc),
    "end_date": datetime(2024, 12, 31, tzinfo=timezone.utc),
    "catchup": False,
}

asked_for = get_parsing_context().dag_id
for account in range(ACCOUNTS):
    for way, retries in RETRIES.items():
        if asked_for in (None, f"{way}_{account}"):
            globals()[f"{way}_{account}"] = main_job(
                f"{way}_{account}", f"account_{account}", retries, A_YEAR_THAT_IS_OVER, pre_execute=disturb
            )
