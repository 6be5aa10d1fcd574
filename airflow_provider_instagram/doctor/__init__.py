"""Whether everything that publishing needs is there: for an account, on a machine, on the workers of a deployment.

Repairs do not belong here: a check changes nothing.
"""

from __future__ import annotations

from airflow_provider_instagram.doctor.dag import instagram_doctor_dag

__all__ = ["instagram_doctor_dag"]
