"""The commands of ``airflow instagram``. Nothing imports this room, except Airflow."""
