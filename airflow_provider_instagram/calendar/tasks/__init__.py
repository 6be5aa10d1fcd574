"""The tasks of a calendar's DAG: select posts, transcode, ask for approval, create, publish, report problems."""
