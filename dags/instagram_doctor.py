"""Check the workers: trigger it after a change of the deployment, and read the log of its task ``report``.

The environment variables ``INSTAGRAM_DOCTOR_QUEUES`` and ``INSTAGRAM_DOCTOR_CONNECTIONS`` name the
queues and the connections, separated by commas. Defaults: the default queue, and
``instagram_default``.
"""

from __future__ import annotations

import os

from airflow_provider_instagram.doctor import instagram_doctor_dag

queues = os.environ.get("INSTAGRAM_DOCTOR_QUEUES", "")
connections = os.environ.get("INSTAGRAM_DOCTOR_CONNECTIONS", "instagram_default")

dag = instagram_doctor_dag(
    queues=[queue for queue in queues.split(",") if queue],
    conn_ids=connections.split(","),
    doc_md=__doc__,
)
