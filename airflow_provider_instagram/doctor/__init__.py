"""Whether everything that publishing needs is there: for an account, on a machine, on the workers of a deployment.

Repairs do not belong here: a check changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_instagram.doctor.dag import instagram_doctor_dag

__all__ = ["instagram_doctor_dag"]


def __getattr__(name: str) -> Any:
    """Import `instagram_doctor_dag` at first use, because the command line needs only the checks."""
    if name != "instagram_doctor_dag":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_provider_instagram.doctor.dag import instagram_doctor_dag

    return instagram_doctor_dag
