"""Access tokens: stored encrypted in an Airflow Variable, and refreshed in time.

The login and its pages do not belong here.
"""
