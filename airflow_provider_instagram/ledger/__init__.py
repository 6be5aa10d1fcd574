"""The record of what was posted under which key, kept in Airflow's asset state store. No calls to Instagram."""
