"""Which run of the DAG brings which post, and when. No calls and no files of media."""
