"""An Airflow as a team runs it, on one machine: CeleryExecutor, PostgreSQL, Redis, S3, workers with separate disks."""
