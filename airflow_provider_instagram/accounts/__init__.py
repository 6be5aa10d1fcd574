"""Accounts as the Airflow server sees them: their connections, the login, and an overview.

Tasks do not belong here, and neither do pages or commands, which show what this room returns.
"""
