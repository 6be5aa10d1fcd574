"""The record of what was posted under which key, kept in Airflow's asset state store.

Calls to Instagram do not belong here, and neither does the decision whether to publish.
"""
