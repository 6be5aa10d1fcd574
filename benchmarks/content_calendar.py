"""Time that a calendar's DAG file takes to import: 2,000 posts beside 20 posts, and beside reading the file alone.

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
FEW, MANY = 20, 2000
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
    file.write_text(yaml.safe_dump({"defaults": {"timezone": "Europe/Berlin"}, "posts": rows}, sort_keys=False))


def seconds(statement: str, home: Path) -> float:
    """Time a statement in a new process that has ``airflow.sdk`` imported already.

    :param statement: Python code.
    :param home: An AIRFLOW_HOME.
    """
    environment = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.splitlines()[-1])


def main() -> int:
    """Measure in turns, so that what slows the machine slows all of them, and print the medians.

    ``edited`` is the import that is the first to see a text; it is imported many times before it is edited again.

    :return: The exit code.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        names = [f"account_{number}" for number in range(ACCOUNTS)]
        few, many = home / "few.yaml", home / "many.yaml"
        write_calendar(few, FEW)
        write_calendar(many, MANY)
        statements = {
            "few": DAG_FILE.format(file=str(few), accounts=names),
            "many": DAG_FILE.format(file=str(many), accounts=names),
            "reading": READING.format(file=str(many)),
            "edited": DAG_FILE.format(file=str(many), accounts=names),
        }
        taken: dict[str, list[float]] = {name: [] for name in statements}
        for number in range(-1, RUNS):
            for name, statement in statements.items():
                if name == "edited":
                    many.write_text(f"{many.read_text()}# edit {number}\n")
                second = seconds(statement, home)
                if number >= 0:  # the first round only makes the snapshots
                    taken[name].append(second)
    few_s, many_s, reading_s, edited_s = (statistics.median(taken[name]) for name in statements)
    print(f"DAG file of {FEW} posts                     {few_s:7.3f} s")
    print(f"DAG file of {MANY:,} posts                  {many_s:7.3f} s  (limit {LIMIT_S} s)")
    print(f"the same, first import after an edit     {edited_s:7.3f} s  (limit {LIMIT_S} s)")
    print(f"reading the file of {MANY:,} posts          {reading_s:7.3f} s")
    ratio, edited_ratio = many_s / (few_s + reading_s), edited_s / (few_s + reading_s)
    print(f"{MANY:,} / ({FEW} + reading)                 {ratio:7.2f}    (limit {LIMIT_RATIO})")
    print(f"the same, first import after an edit     {edited_ratio:7.2f}    (limit {LIMIT_RATIO})")
    return int(max(many_s, edited_s) > LIMIT_S or max(ratio, edited_ratio) > LIMIT_RATIO)


if __name__ == "__main__":
    as_program(main)
