"""``make cluster``: a calendar while the components of a cluster are killed, frozen and stopped; then a table."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import sqlalchemy
import yaml

from airflow_provider_instagram.calendar.planning.stored_plan import plan_file
from demo.scene import ROOT
from demo.stack import end_on_sigterm, wait_until
from demo.ui import connect
from tests.calendars.fate import ENDED, Due, Fate, is_good, observed, table
from tests.calendars.running_calendar import (
    DAG_ID,
    dag_file,
    entry,
    make_reel,
    queue_file,
    task_instances,
    whole_second,
)
from tests.cluster.cluster import BUCKET, EXECUTORS, GROUPS, SLOTS, STORAGE, WORKERS, Cluster, cluster
from tests.cluster.programme import (
    ACCOUNTS,
    BLAMELESS,
    CUT_ACCOUNT,
    FULL,
    LEAD_S,
    MEDIA,
    OUTAGES,
    OWN_WORK,
    PAUSED,
    REFUSED,
    SHORT,
    SKEW_S,
    Disturbance,
    Programme,
    parsed,
    programme,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAIN_JOB = "publish_reel"
DOCTOR = """\
from airflow_provider_instagram.doctor.dag import instagram_doctor_dag

dag = instagram_doctor_dag({arguments})
"""
START_S, RUN_LIMIT_S = 120, 600
#: After an outage, a task waits for up to a twelfth of ``max_lateness``, five minutes, and so may each after it.
LAST_LIMIT_S = 900
#: So long after the last post, no further run begins.
LAST_LOOK = timedelta(minutes=2)
#: A question is answered once it has been there for as long as a person reads: Airflow 3.3.2 fails a task that is
#: answered before its scheduler has seen that it waits.
READING = timedelta(seconds=4)
#: An edit counts within so many seconds, also while other tasks have all slots.
READ_WITHIN_S = 10.0
#: The file of the notifications about approved posts, and what it says of a question.
TOLD, WAITS = "told", "waits for an approval"
#: What Airflow calls the process of a task.
TASK = "airflow worker -- "
#: Reasons that no task may give here, because none of them is true.
WRONG_WORDS = ("limit of posts per", "has not answered within")
#: Its upload is cut when half of the file has arrived.
CUT_AFTER = 0.5


def main() -> int:
    """Run the cluster, and say what came of it.

    :return: The exit code: 0 if every post is there once, Airflow says so, and nothing is left behind.
    """
    end_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--short", action="store_true", help="two disturbances, for CI")
    parser.add_argument(
        "--only", choices=["outages"], help="what must lose no post: S3, first runs, clocks, slots, moves (50 min)"
    )
    parser.add_argument(
        "--disturb", action="append", metavar="WHAT", help="only this, such as 'stop redis 120'; may be repeated"
    )
    parser.add_argument("--posts", type=int, help="how many posts nothing disturbs (default: 24, or 12)")
    parser.add_argument("--executor", choices=EXECUTORS, default=EXECUTORS[0], help="(default: %(default)s)")
    options = parser.parse_args()
    chosen = OUTAGES if options.only else SHORT if options.short else FULL
    disturbances = [parsed(text) for text in options.disturb or ()] or chosen
    began_s = time.monotonic()
    _say("Starting Redis, PostgreSQL, S3, the sandbox and Airflow")
    with cluster((*ACCOUNTS, CUT_ACCOUNT), _say, options.executor) as running:
        _say(f"Started in {time.monotonic() - began_s:.0f} s; the logs are in {running.folder / 'logs'}")
        _main_job(running)
        posts, spacing_s = (12, 6.0) if options.short or options.only else (24, 10.0)
        possible = [one for one in disturbances if one.component not in GROUPS or running.group(one.component)]
        found, is_kept = _play(running, possible, options.posts or posts, spacing_s)
        left, doctor = _after(running)
    for line in table(found):
        _say(line)
    _say(f"instagram_doctor on both workers: {doctor}")
    _say("bytes left behind: " + ", ".join(f"{name} {count:,}" for name, count in left.items()))
    _say(f"{time.monotonic() - began_s:.0f} s in all")
    is_clean = not any(left.values())
    return 0 if is_good(found) and is_kept and is_clean and doctor == "success" else 1


def _play(
    running: Cluster, disturbances: Sequence[Disturbance], posts: int, spacing_s: float
) -> tuple[list[Fate], bool]:
    """Publish the calendar's posts, and disturb.

    :return: What became of each post, and whether edits were read in time and nobody was asked twice.
    """
    reel = running.folder / "reel.mp4"
    make_reel(reel)
    for name, file in {"reel.mp4": reel, **_pictures_of(reel)}.items():
        running.upload(f"calendar/{name}", file.read_bytes())
    running.sandbox.fail(
        "upload", cut_after_bytes=int(reel.stat().st_size * CUT_AFTER), account=running.users[CUT_ACCOUNT]
    )
    plan = programme(whole_second(timedelta(seconds=START_S + LEAD_S)), posts, spacing_s, disturbances)
    _write(running, plan)
    _wait_for_questions(running, DAG_ID, plan.asked)
    _answer(running, DAG_ID, plan.asked)
    with ThreadPoolExecutor() as pool:  # a paused DAG waits beside the next disturbance
        disturbing = []
        for begin, disturbance in plan.disturbances:
            _sleep_until(begin - timedelta(seconds=15))
            if disturbance.component == "worker" and disturbance.what not in OWN_WORK:
                _keep_a_worker_busy(running)
            _sleep_until(begin)
            disturbing.append(pool.submit(_disturb, running, plan, disturbance))
    are_kept = [each.result() for each in disturbing]
    _sleep_until(plan.end)
    with suppress(TimeoutError):
        wait_until(lambda: _all_over(running, plan), "every post is there", LAST_LIMIT_S, 5.0)
    found = observed(plan.posts, running.airflow, running.sandbox)
    if not is_good(found):
        _say("Not all posts are as they should be; what has not ended, or failed:")
        _show_failures(running, plan)
    wrong_words = [_wrong_words(running, disturbance) for disturbance in disturbances]
    return found, all(are_kept) and _was_told_once(running, found) and not any(wrong_words)


def _all_over(running: Cluster, plan: Programme) -> bool:
    """Return whether each post is as it should be, or no task is at work a while after the last one."""
    try:
        if is_good(observed(plan.posts, running.airflow, running.sandbox)):
            return True
        is_late = datetime.now(timezone.utc) > plan.end + LAST_LOOK
        return is_late and all(ti["state"] in ENDED for ti in _instances(running, plan))
    except (httpx.HTTPError, RuntimeError):  # Airflow has not recovered yet
        return False


def _instances(running: Cluster, plan: Programme) -> list[dict[str, Any]]:
    """Return the task instances of all posts, of the planners, which may have runs to start still, and of reports."""
    dag_ids = [name for dag_id in plan.dag_ids for name in (dag_id, f"{dag_id}_plan", f"{dag_id}_report")]
    return [ti for dag_id in dag_ids for ti in task_instances(running.airflow, dag_id)]


def _write(running: Cluster, plan: Programme) -> None:
    """Write the calendar with all posts, and its DAG."""
    posts = _entries(plan.of_dag(DAG_ID))
    asked = [post.post_id for post in plan.asked]
    for post in posts:
        post |= {"approval": "required"} if post["id"] in asked else {}
    _write_calendar(running, posts, DAG_ID)
    _write_dag(running, DAG_ID)


def _entries(posts: Sequence[Due]) -> list[dict[str, Any]]:
    return [entry(post.post_id, post.at, post.account, **MEDIA[post.shows]) for post in posts]


def _write_calendar(running: Cluster, posts: Sequence[dict[str, Any]], dag_id: str) -> str:
    """Write the calendar of a DAG, and return its text."""
    document = {"min_spacing": "0 s", "posts": [*posts]}
    text = yaml.safe_dump(document, sort_keys=False)
    running.upload(f"calendar/{dag_id}.yaml", text.encode())
    return text


def _write_dag(running: Cluster, dag_id: str, more: str = "", ahead_s: int = 0, calendar: str = "") -> None:
    calendar = calendar or _calendar(dag_id)
    text = dag_file(dag_id, calendar, running.users, lead_s=LEAD_S, ahead_s=ahead_s, more=more)
    (running.folder / "dags" / f"{dag_id}.py").write_text(text)


def _calendar(dag_id: str) -> str:
    return f"{STORAGE}/calendar/{dag_id}.yaml"


def _pictures_of(reel: Path) -> dict[str, Path]:
    """Make two pictures that comply as they are: two frames of the reel."""
    made = {name: reel.with_name(name) for name in ("still.jpg", "detail.jpg")}
    for second, picture in enumerate(made.values()):
        frame = ["-ss", str(second), "-i", str(reel), "-frames:v", "1", "-vf", "scale=720:-2,crop=720:900"]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *frame, str(picture)], check=True)
    return made


def _main_job(running: Cluster) -> None:
    """Run the main job on a video that has to be encoded."""
    shutil.copy(ROOT / "dags" / f"{MAIN_JOB}.py", running.folder / "dags")
    connect(running.airflow, running.sandbox)
    running.airflow.wait_for_dag(MAIN_JOB)
    began_s = time.monotonic()
    _start_main_job(running, "main", seconds=3)

    state = wait_until(partial(_ended, running, MAIN_JOB, "main"), "the main job has ended", RUN_LIMIT_S, 1.0)
    hosts = {ti["task_id"]: ti["hostname"] for ti in running.airflow.tasks(MAIN_JOB, "main")}
    _say(f"main job: {state} in {time.monotonic() - began_s:.0f} s, on {hosts}")


def _start_main_job(running: Cluster, run_id: str, seconds: int) -> None:
    video = running.folder / f"{run_id}.mov"
    _make_landscape(video, seconds)
    source = running.upload(f"raw/{video.name}", video.read_bytes())
    running.trigger(MAIN_JOB, run_id, {"video": source, "caption": run_id})


def _make_landscape(video: Path, seconds: int) -> None:
    source = f"testsrc2=size=1280x720:rate=30:duration={seconds}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([*command, str(video)], check=True)


def _answer(running: Cluster, dag_id: str, posts: Sequence[Due], pause_s: float = 0.0) -> None:
    """Approve posts over the REST API, with their caption if it is edited in the answer.

    :param pause_s: How long to wait after each answer.
    """
    for post in posts:
        question = f"/dags/{dag_id}/dagRuns/{post.post_id}/taskInstances/approve/-1/hitlDetails"
        fields = {"caption": post.edited_caption} if post.edited_caption else {}
        body = {"chosen_options": ["Approve"]} | ({"params_input": fields} if fields else {})
        running.airflow.call("PATCH", question, json=body)
        _say(f"approved {post.post_id} over REST with {body}")
        time.sleep(pause_s)


def _wait_for_questions(running: Cluster, dag_id: str, posts: Sequence[Due]) -> None:
    """Wait until each post's question has been there for as long as a person reads."""

    def are_asked() -> bool:
        read = datetime.now(timezone.utc) - READING
        asked = {
            one["task_instance"]["dag_run_id"]
            for one in running.airflow.call("GET", f"/dags/{dag_id}/dagRuns/~/hitlDetails")["hitl_details"]
            if datetime.fromisoformat(one["created_at"]) < read
        }
        return {post.post_id for post in posts} <= asked

    wait_until(are_asked, "the questions are asked", RUN_LIMIT_S, 1.0)


def _keep_a_worker_busy(running: Cluster) -> None:
    """Start an encoding that the disturbance of a worker interrupts."""
    run_id = f"busy-{datetime.now(timezone.utc):%H%M%S}"
    _start_main_job(running, run_id, seconds=20)


def _disturb(running: Cluster, plan: Programme, disturbance: Disturbance) -> bool:
    """Disturb. Return whether every edit was read in time."""
    took_s: list[float] = []
    _say(f"{disturbance} begins")
    if disturbance.what == "refuse":
        with running.refusing(REFUSED[disturbance.component]):
            time.sleep(disturbance.seconds)
    elif disturbance.what == "skew":
        began_s = time.monotonic()
        with running.skewed(disturbance.component, SKEW_S):
            time.sleep(max(0.0, disturbance.seconds / 4 + began_s - time.monotonic()))
            _stop(running, "scheduler", disturbance.seconds / 2)
            time.sleep(disturbance.seconds / 4)
    elif disturbance.what == "create":
        _keep_from_its_first_run(running, plan, disturbance)
    elif disturbance.what == "answer":
        _answer_without_s3(running, plan.of_dag(disturbance.dag_id), disturbance)
    elif disturbance.what == "fill":
        took_s = _edit_beside_a_queue(running, plan.of_dag(disturbance.dag_id), disturbance)
    elif disturbance.what == "stall":
        _stall_a_reservation(running, disturbance.seconds)
    elif disturbance.what == "busy":
        with running.starving("worker"):
            time.sleep(disturbance.seconds)
    elif disturbance.what == "move":
        _move_approved(running, plan.of_dag(disturbance.dag_id), disturbance)
    else:
        _end(running, disturbance)
    _say(f"{disturbance} is over")
    return all(one <= READ_WITHIN_S for one in took_s)


def _answer_without_s3(running: Cluster, posts: Sequence[Due], disturbance: Disturbance) -> None:
    """Have the questions about posts asked and told, and answer them one after the other while S3 refuses."""
    dag_id = disturbance.dag_id
    _write_calendar(running, _entries(posts), dag_id)
    _write_asking_dag(running, dag_id, _calendar(dag_id))
    _wait_for_questions(running, dag_id, posts)
    with running.refusing(REFUSED["everybody"]):
        _say("S3 refuses")
        _answer(running, dag_id, posts, disturbance.seconds / len(posts))
    _say("S3 answers")


def _write_asking_dag(running: Cluster, dag_id: str, calendar: str) -> None:
    """Write a DAG that asks long before its posts are due, and writes down whom it tells of what."""
    told = f"open({str(running.folder / TOLD)!r}, 'a').write(f\"{{given['event']}}\\n\")"
    more = f"approval='required', notify=lambda given: {told}"
    _write_dag(running, dag_id, more, ahead_s=RUN_LIMIT_S * 2, calendar=calendar)


def _move_approved(running: Cluster, posts: Sequence[Due], disturbance: Disturbance) -> None:
    """Have posts approved, and move what publishes them while they wait for their time."""
    dag_id, what = disturbance.dag_id, disturbance.component
    former = f"{dag_id}-former" if what == "dag" else dag_id
    calendar = _calendar(former)
    text = _write_calendar(running, _entries(posts), former)
    _write_asking_dag(running, former, calendar)
    _wait_for_questions(running, former, posts)
    _answer(running, former, posts)
    wait_until(partial(_are_approved, running, former, len(posts)), "the posts are approved", RUN_LIMIT_S, 1.0)

    _say(f"{disturbance}: the posts are approved, and the {what} moves")
    if what == "plan":
        running.s3.delete_object(Bucket=BUCKET, Key=plan_file("snapshots", dag_id))
        return
    if what == "calendar":
        calendar = running.upload(f"moved/{dag_id}.yaml", text.encode())
        running.upload("moved/reel.mp4", (running.folder / "reel.mp4").read_bytes())
        running.s3.delete_object(Bucket=BUCKET, Key=f"calendar/{dag_id}.yaml")
    (running.folder / "dags" / f"{former}.py").unlink()
    _write_asking_dag(running, dag_id, calendar)


def _are_approved(running: Cluster, dag_id: str, posts: int) -> bool:
    instances = task_instances(running.airflow, dag_id)
    return [ti["state"] for ti in instances if ti["task_id"] == "approve"].count("success") == posts


def _stall_a_reservation(running: Cluster, seconds: float) -> None:
    """Halt the tasks, but not what supervises them, once one has joined the list of those that reserve a place."""
    joined = sqlalchemy.text("select max(updated_at) from asset_state_store where key = 'quota-end'")
    url = running.airflow.settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    with sqlalchemy.create_engine(url).connect() as store:
        before = store.execute(joined).scalar()
        wait_until(lambda: store.execute(joined).scalar() != before, "a post reserves", RUN_LIMIT_S, 0.005)
        store.execute(sqlalchemy.text("lock table asset_state_store"))  # until its task is halted
        for process in running.group("worker"):
            process.freeze(TASK)
    _say("a task that reserves is halted")
    time.sleep(seconds)
    for process in running.group("worker"):
        process.thaw()


def _wrong_words(running: Cluster, disturbance: Disturbance) -> list[str]:
    """Return the logs of a disturbance's posts that give a reason which was not so."""
    if disturbance.what not in BLAMELESS:
        return []
    logs = (running.folder / "task-logs").rglob("*.log")
    of_posts = [log for log in logs if disturbance.name in str(log)]
    wrong = [str(log) for log in of_posts if any(words in log.read_text() for words in WRONG_WORDS)]
    _say(f"{disturbance}: {len(of_posts)} logs, with wrong words: {', '.join(wrong) or 'none'}")
    return wrong


def _was_told_once(running: Cluster, found: Sequence[Fate]) -> bool:
    """Return whether people were told once of each question whose answer had to outlast something."""
    fates = [fate for fate in found if fate.due.around.startswith(("answer", "move"))]
    if not fates:
        return True
    lines = (running.folder / TOLD).read_text().splitlines()
    told = sorted(line.partition(" ")[0] for line in lines if WAITS in line)
    _say(f"{len(fates)} posts were approved; told of a question: {len(told)} times")
    _say("their tasks: " + ", ".join(f"{fate.due.post_id} approve {fate.tasks.get('approve')}" for fate in fates))
    return told == sorted(fate.due.post_id for fate in fates)


def _edit_beside_a_queue(running: Cluster, posts: Sequence[Due], disturbance: Disturbance) -> list[float]:
    """Edit a post and remove another while tasks of another DAG have all slots; return how long each took to count."""
    dag_id, entries = disturbance.dag_id, _entries(posts)
    text = _write_calendar(running, entries, dag_id)
    _write_dag(running, dag_id)
    wait_until(partial(_is_read, running, dag_id, text), "the calendar is read", RUN_LIMIT_S)
    began_s = time.monotonic()
    (running.folder / "dags" / "queue.py").write_text(queue_file(disturbance.seconds * 2, 20, SLOTS))
    running.airflow.wait_for_dag("queue")
    running.trigger("queue", "busy", {})
    # Tasks that all start at once take the processors, not only the slots.
    wait_until(lambda: _of_queue(running, "success") >= SLOTS / 2, "the first tasks have ended", RUN_LIMIT_S)
    wait_until(lambda: _slots_taken(running) == SLOTS, "all slots are taken", RUN_LIMIT_S)
    edited = [{**one, "caption": post.caption} for one, post in zip(entries, posts, strict=True)]
    kept = [one for one, post in zip(edited, posts, strict=True) if not post.is_removed]
    took_s = []
    for what, written in (("an edit", edited), ("a removal", kept)):
        text = _write_calendar(running, written, dag_id)
        written_s = time.monotonic()
        wait_until(partial(_is_read, running, dag_id, text), f"{what} is read", RUN_LIMIT_S)
        took_s.append(time.monotonic() - written_s)
        _say(f"{what} was read after {took_s[-1]:.1f} s; {_slots_taken(running)} of {SLOTS} slots were taken")
    time.sleep(max(0.0, began_s + disturbance.seconds - time.monotonic()))
    running.airflow.call("PATCH", "/dags/queue/dagRuns/busy", json={"state": "failed"})
    return took_s


def _is_read(running: Cluster, dag_id: str, text: str) -> bool:
    """Return whether the planner of a DAG has stored the plan of a text."""
    key = plan_file("snapshots", dag_id)
    if not running.s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents"):
        return False
    return bool(json.loads(running.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())["text"] == text)


def _slots_taken(running: Cluster) -> int:
    """Return how many slots the tasks of the queue have, or are about to have."""
    return _of_queue(running, "queued", "running")


def _of_queue(running: Cluster, *states: str) -> int:
    path = "/dags/queue/dagRuns/busy/taskInstances"
    return int(running.airflow.call("GET", path, params={"state": states})["total_entries"])


def _keep_from_its_first_run(running: Cluster, plan: Programme, disturbance: Disturbance) -> None:
    """Create a DAG that is paused, or whose scheduler is away, until the disturbance is over."""
    dag_id, is_paused = disturbance.dag_id, disturbance.component == PAUSED
    more = f"max_lateness=timedelta(seconds={disturbance.max_lateness_s}), is_paused_upon_creation=True"
    _write_calendar(running, _entries(plan.of_dag(dag_id)), dag_id)
    _write_dag(running, dag_id, more if is_paused else "")
    if is_paused:
        time.sleep(disturbance.seconds)
        running.airflow.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
    else:
        _stop(running, disturbance.component, disturbance.seconds)


def _stop(running: Cluster, component: str, seconds: float) -> None:
    for process in running.group(component):
        process.stop()
    time.sleep(seconds)
    for process in running.group(component):
        process.start()


def _end(running: Cluster, disturbance: Disturbance) -> None:
    """Kill one process of a component, or freeze or stop all of them, for a while."""
    group = running.group(disturbance.component)
    if disturbance.what == "stop":
        _stop(running, disturbance.component, disturbance.seconds)
        return
    if disturbance.what == "kill":
        encoding = [process for process in group if process.children_with("ffmpeg")]
        group = (encoding or group)[:1]
    for process in group:
        {"kill": process.kill, "freeze": process.freeze}[disturbance.what]()
    time.sleep(disturbance.seconds)
    for process in group:
        {"kill": process.start, "freeze": process.thaw}[disturbance.what]()


def _show_failures(running: Cluster, plan: Programme) -> None:
    for ti in _instances(running, plan):
        if ti["state"] in ("failed", "up_for_retry", "queued", "running", "deferred"):
            _say(f"  {ti['dag_id']}.{ti['task_id']} of {ti['dag_run_id']}: {ti['state']}, try {ti['try_number']}")


def _after(running: Cluster) -> tuple[dict[str, int], str]:
    """Run an encoding and the doctor on each worker; return the bytes on their disks, and how the doctor ended."""
    queues = f"queues={list(WORKERS)!r}, conn_ids={list(ACCOUNTS)!r}"
    (running.folder / "dags" / "doctor.py").write_text(DOCTOR.format(arguments=queues))
    shutil.copy(ROOT / "tests" / "cluster" / "on_each_worker.py", running.folder / "dags")
    video = running.folder / "after.mov"
    _make_landscape(video, 1)
    source = running.upload("raw/after.mov", video.read_bytes())
    states: dict[str, str] = {}
    for dag_id, conf in (("on_each_worker", {"video": source}), ("instagram_doctor", {})):
        running.airflow.wait_for_dag(dag_id)
        running.trigger(dag_id, "after", conf)
    for dag_id in ("on_each_worker", "instagram_doctor"):
        states[dag_id] = wait_until(partial(_ended, running, dag_id, "after"), f"{dag_id} has ended", RUN_LIMIT_S, 1.0)
    log = running.airflow.task_log("instagram_doctor", "after", "report")
    (running.folder / "logs" / "doctor.log").write_text(log)
    return running.left_behind(), states["instagram_doctor"]


def _ended(running: Cluster, dag_id: str, run_id: str) -> str | None:
    try:
        state = running.airflow.run_state(dag_id, run_id)
    except (httpx.HTTPError, RuntimeError):  # Airflow has not recovered yet
        return None
    return state if state in ("success", "failed") else None


def _sleep_until(at: datetime) -> None:
    time.sleep(max(0.0, (at - datetime.now(timezone.utc)).total_seconds()))


def _say(text: str) -> None:
    print(f"{datetime.now(timezone.utc):%H:%M:%S}  {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
