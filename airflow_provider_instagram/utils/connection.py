"""The names of the provider's connections."""

from __future__ import annotations

import shlex
import sys
from typing import Final

from airflow.sdk import BaseHook, Connection, conf
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError, ErrorType

CONN_TYPE: Final = "instagram"
DEFAULT_CONN_ID: Final = "instagram_default"


class NoConnectionError(AirflowNotFoundException):
    """No connection has this id, as Airflow's API server says. A retry cannot help."""


def read_connection(conn_id: str) -> Connection:
    """Read a connection.

    :raises NoConnectionError: If it certainly does not exist.
    :raises AirflowNotFoundException: If Airflow did not find it.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        if _is_certainly_missing(conn_id):
            raise NoConnectionError(no_connection(conn_id)) from None
        raise


def _is_certainly_missing(conn_id: str) -> bool:
    """Return whether a connection that Airflow did not find in a task does not exist.

    Airflow says the same of a connection while its API server or a secrets backend is down. So the
    server is asked, and with a secrets backend nothing is certain.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    comms = getattr(runner, "SUPERVISOR_COMMS", None)
    backends = (("secrets", "backend"), ("workers", "secrets_backend"))
    if comms is None or any(conf.get(section, name, fallback="") for section, name in backends):
        return False
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection

    try:
        answer = comms.send(GetConnection(conn_id=conn_id))
    except AirflowRuntimeError as error:
        answer = error.error
    return isinstance(answer, ErrorResponse) and answer.error == ErrorType.CONNECTION_NOT_FOUND


def no_connection(conn_id: str) -> str:
    """Return what to do if there is no connection with an id."""
    name = shlex.quote(conn_id)
    return (
        f"There is no connection {conn_id!r}. Check the id, or create it: on Airflow's page Admin, Instagram, with "
        f"airflow instagram connect {name}, or, if you have a token, with airflow connections add {name} "
        f"--conn-type {CONN_TYPE} --conn-password TOKEN"
    )
