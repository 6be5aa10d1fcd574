"""Measure the import time of a DAG file with our operators, and of one with an operator of Airflow.

Run it with ``python -m benchmarks.imports``. It exits with 1 if the limit does not hold.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.program import as_program

RUNS = 9
LIMIT_MS = 100
STATEMENTS = {
    "package": "import airflow_provider_instagram.operators",
    "classes": (
        "from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator\n"
        "from airflow_provider_instagram.sensors import ContainerStatusSensor"
    ),
    "bash": "from airflow.providers.standard.operators.bash import BashOperator",
}


def import_ms(statement: str) -> float:
    """Measure a statement in a new process in which ``airflow.sdk`` is imported already.

    :param statement: Python code.
    :return: Its time, in milliseconds.
    """
    program = (
        "import time\nfrom airflow.sdk import DAG, Param, task\n"
        f"began = time.perf_counter()\n{statement}\nprint(1000 * (time.perf_counter() - began))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def main() -> int:
    """Measure in turns, so that other load affects all of them alike, and print the medians.

    :return: The exit code.
    """
    taken: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(RUNS):
        for name, statement in STATEMENTS.items():
            taken[name].append(import_ms(statement))
    median = {name: statistics.median(times) for name, times in taken.items()}
    print(
        f"import airflow_provider_instagram.operators   {median['package']:7.1f} ms  (limit {LIMIT_MS} ms)"
    )
    print(f"its operators and its sensor                  {median['classes']:7.1f} ms")
    print(f"airflow.providers.standard's BashOperator     {median['bash']:7.1f} ms")
    print(
        f"ours / BashOperator                           {median['classes'] / median['bash']:7.2f}"
    )
    return int(median["package"] > LIMIT_MS)


if __name__ == "__main__":
    as_program(main)
