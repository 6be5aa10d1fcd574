"""Content calendars in a running Airflow: the harness that `make test` and the long variant share."""
