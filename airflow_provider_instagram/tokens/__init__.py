"""Access tokens: stored encrypted in an Airflow Variable, and refreshed in time. No login and no pages."""
