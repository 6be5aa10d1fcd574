"""How late posts are whose whole plan is moved twice within their lead time, beside an undisturbed day.

Run it with ``python -m benchmarks.late_edits``. Both days are in one running Airflow, whose lead
time is minutes instead of an hour. On the disturbed day, all posts are moved as soon as publishers
wait for a third of them, and again half a minute later. It exits with 1 if a post is not published
once, at its last time, or if the moved posts are later than those of the undisturbed day.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.program import as_program
from demo.stack import wait_until
from tests.calendars.running_calendar import entry, running_calendar, whole_second

if TYPE_CHECKING:
    from tests.calendars.running_calendar import RunningCalendar

ACCOUNTS = 3
#: Two cores keep this pace on an undisturbed day.
SPACING = timedelta(seconds=5)
SECOND_MOVE_AFTER_S = 30
#: A later post is due to the edits. Less is due to the machine.
TOLERANCE_S = 1.0
LIMIT_S = 900.0
SETTINGS = {"AIRFLOW__CORE__PARALLELISM": "12"}


def main() -> int:
    """Measure, and print the numbers.

    :return: The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.late_edits", description=__doc__)
    parser.add_argument("--posts", type=int, default=60)
    parser.add_argument(
        "--lead", type=int, default=300, help="seconds in which the posts of a day can be prepared"
    )
    options = parser.parse_args()
    days = {"undisturbed": False, "moved": True}
    accounts = {day: [f"{day}_{number}" for number in range(ACCOUNTS)] for day in days}
    everything = [account for each in accounts.values() for account in each]
    with (
        tempfile.TemporaryDirectory() as folder,
        running_calendar(Path(folder), everything, **SETTINGS) as calendar,
    ):
        late = {
            day: _day(calendar, day, accounts[day], options.posts, options.lead, moves=moves)
            for day, moves in days.items()
        }
    print(f"{'seconds after their time':<26}{'median':>8}{'95 %':>8}{'last':>8}")
    for day, values in late.items():
        ordered = sorted(values)
        row = statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1]
        print(f"{day:<26}" + "".join(f"{value:8.2f}" for value in row))
    complete = all(len(values) == options.posts and min(values) >= 0 for values in late.values())
    return 0 if complete and max(late["moved"]) <= max(late["undisturbed"]) + TOLERANCE_S else 1


def _day(
    calendar: RunningCalendar,
    day: str,
    accounts: list[str],
    posts: int,
    lead_s: int,
    *,
    moves: bool,
) -> list[float]:
    """Publish the posts of a day, and return how late each was that was published once.

    :param calendar: The running Airflow.
    :param day: The name of the day, which is also that of its DAG.
    :param accounts: The accounts that take turns.
    :param posts: The number of posts.
    :param lead_s: The lead time.
    :param moves: Whether to move all posts twice.
    """

    def write() -> None:
        calendar.write(
            [
                entry(name, at, accounts[place % ACCOUNTS])
                for place, (name, at) in enumerate(due.items())
            ],
            day,
        )

    def waiting() -> int:
        path, query = (
            f"/dags/{day}/dagRuns/~/taskInstances",
            {"state": "deferred", "task_id": "publish"},
        )
        return int(calendar.airflow.call("GET", path, params=query)["total_entries"])

    first = whole_second(timedelta(seconds=lead_s))
    due = {f"{day}-{place:02}": first + place * SPACING for place in range(posts)}
    write()
    calendar.add_dag(lead_s, day)
    wait_until(
        lambda: calendar.airflow.has(f"/dags/{day}"), "Airflow has read the calendar", LIMIT_S, 1.0
    )
    if moves:
        wait_until(
            lambda: waiting() >= posts // 3, "a third of the posts wait for their time", lead_s, 5.0
        )
        for shift in (
            whole_second(timedelta(seconds=0.8 * lead_s)) - first,
            timedelta(seconds=SECOND_MOVE_AFTER_S + 5),
        ):
            due = {name: at + shift for name, at in due.items()}
            write()
            time.sleep(SECOND_MOVE_AFTER_S)

    def missing() -> set[str]:
        return set(due) - set(calendar.requests())

    try:
        wait_until(lambda: not missing(), f"all posts of the {day} day are published", LIMIT_S, 1.0)
    except TimeoutError as error:
        tasks = {
            task: state for task, state in calendar.states(day).items() if task[1] in missing()
        }
        raise TimeoutError(
            "\n".join([str(error), f"Missing: {tasks}", *calendar.failed(day)])
        ) from None
    requests = calendar.requests()
    return [
        requests[name][0] - at.timestamp() for name, at in due.items() if len(requests[name]) == 1
    ]


if __name__ == "__main__":
    as_program(main)
