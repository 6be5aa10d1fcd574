"""``airflow instagram doctor`` in an Airflow that runs: nothing is left to do."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from demo.stack import AIRFLOW

if TYPE_CHECKING:
    from demo.stack import AirflowStack


def test_the_doctor_finds_a_running_airflow_well(airflow: AirflowStack) -> None:
    command = [AIRFLOW, "instagram", "doctor", "instagram_default"]
    said = subprocess.run(command, env=os.environ | airflow.settings, capture_output=True, text=True, check=False)
    lines = {
        line[5:20].strip(): line[:4].strip()
        for line in said.stdout.splitlines()
        if line[:4] in ("ok  ", "FIX ", "?   ")
    }
    for name in ("capacity", "disk"):  # how many files may be open, and how large, is the machine's matter
        del lines[name]
    assert {name for name, mark in lines.items() if mark == "FIX"} == set(), said.stdout
    assert {"connection", "account", "quota", "upload host", "state store", "triggerer"} <= {
        name for name, mark in lines.items() if mark == "ok"
    }, said.stdout
