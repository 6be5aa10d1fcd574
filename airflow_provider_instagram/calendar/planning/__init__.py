"""Which run of the DAG publishes which post, and when. No calls to Instagram, and no media files."""
