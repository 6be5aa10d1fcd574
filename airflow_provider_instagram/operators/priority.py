"""Which task gets a free slot first, whatever its DAG: what publishes comes before what prepares.

These are weights of the rule ``absolute``, because the rules of Airflow that add up weights depend on the other tasks
of the DAG. All other tasks have Airflow's weight, 1.
"""

from __future__ import annotations

from typing import Final

PUBLISH: Final = 100
COMMENT: Final = 80
CREATE: Final = 60
APPROVE: Final = 40
TRANSCODE: Final = 20
