"""The commands of ``airflow instagram``: their arguments, and what they print.

Logic that a task or a page also needs does not belong here. Only Airflow imports this room.
"""
