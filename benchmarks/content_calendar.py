"""Time of a calendar's planner for a look at 2,000 posts, and of its DAG file's import, which reads no calendar.

Run it with ``python -m benchmarks.content_calendar``. It exits with 1 if a limit does not hold.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import yaml

from benchmarks.program import as_program

RUNS = 7
LIMIT_S = 2.0
LIMIT_RATIO = 1.5
POSTS = 2000
ACCOUNTS = 8
PROGRAM = """
import time
from airflow.sdk import DAG, Param, task
began = time.perf_counter()
{statement}
print(time.perf_counter() - began)
"""
DAG_FILE = """
from airflow_provider_instagram.calendar import content_calendar_dag
dag = content_calendar_dag("content", {file!r}, accounts={accounts!r})
"""
#: What the task of the planner does.
LOOK = """
from airflow_provider_instagram.calendar.planning.look import look
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, store
from airflow_provider_instagram.utils.clock import CLOCK
settings = dag.get_task("prepare").settings
planned, due = look(settings, StoredPlan.read(settings.plan_file), CLOCK.now())
store(settings.plan_file, planned)
"""
#: What reading alone is: text, and where in it everything stands, which every problem needs.
READING = """
import yaml
from pathlib import Path
yaml.compose(Path({file!r}).read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
"""


def write_calendar(file: Path, posts: int) -> None:
    """Write a calendar such as people write them: captions of some lines, half an hour between posts."""
    first = datetime(2030, 1, 1, tzinfo=timezone.utc)
    rows = [
        {
            "id": f"post-{number:04}",
            "publish_at": f"{first + timedelta(minutes=90) * (number // ACCOUNTS):%Y-%m-%d %H:%M}",
            "account": f"account_{number % ACCOUNTS}",
            "video": f"post-{number:04}.mp4",
            "caption": f"Post {number}: what we have been working on,\nand what comes next.\n\n#behindthescenes\n",
            "placement": "feed" if number % 3 else "reels",
            "collaborators": ["studio_two"],
            "tags": ["spring", "campaign"],
        }
        for number in range(posts)
    ]
    file.write_text(
        yaml.safe_dump({"defaults": {"timezone": "Europe/Berlin"}, "posts": rows}, sort_keys=False)
    )


def seconds(statement: str, home: Path) -> float:
    """Time a statement in a new process that has ``airflow.sdk`` imported already.

    :param statement: Python code.
    :param home: An AIRFLOW_HOME.
    """
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.splitlines()[-1])


def main() -> int:
    """Measure in turns, so that what slows the machine slows all of them, and print the medians.

    ``edited`` is a look at a file that has changed since the last one; it is what a planner does
    most.

    :return: The exit code.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, file = Path(folder), Path(folder, "calendar.yaml")
        write_calendar(file, POSTS)
        dag_file = DAG_FILE.format(
            file=str(file), accounts=[f"account_{number}" for number in range(ACCOUNTS)]
        )
        statements = {
            "import": dag_file,
            "reading": READING.format(file=str(file)),
            "edited": dag_file + LOOK,
            "unchanged": dag_file + LOOK,
        }
        taken: dict[str, list[float]] = {name: [] for name in statements}
        for number in range(RUNS):
            for name, statement in statements.items():
                if name == "edited":
                    file.write_text(f"{file.read_text()}# edit {number}\n")
                taken[name].append(seconds(statement, home))
    import_s, reading_s, edited_s, unchanged_s = (
        statistics.median(taken[name]) for name in statements
    )
    ratio = edited_s / (import_s + reading_s)
    print(f"import of the DAG file                   {import_s:7.3f} s")
    print(f"reading the file of {POSTS:,} posts          {reading_s:7.3f} s")
    print(f"import, and a look after an edit         {edited_s:7.3f} s  (limit {LIMIT_S} s)")
    print(f"import, and a look at an unchanged file  {unchanged_s:7.3f} s")
    print(f"after an edit / (import + reading)       {ratio:7.2f}    (limit {LIMIT_RATIO})")
    return int(edited_s > LIMIT_S or ratio > LIMIT_RATIO)


if __name__ == "__main__":
    as_program(main)
