"""From the text of a calendar to its posts and problems. No DAG and no tasks."""
