"""What a post is: its kinds, fields and limits. Nothing here knows Airflow, calls Instagram or opens a file."""
