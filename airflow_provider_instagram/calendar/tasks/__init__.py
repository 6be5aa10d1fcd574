"""The tasks of a calendar's DAG: select posts, transcode, approve, create, publish, report problems.

How a calendar is read and which run brings which post does not belong here.
"""
