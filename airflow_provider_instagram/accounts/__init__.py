"""Accounts as the Airflow server sees them: their connections, the login, and an overview. No tasks."""
