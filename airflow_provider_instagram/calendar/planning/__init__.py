"""Which run of the DAG publishes which post, and when. Calls to Instagram and media files do not belong here."""
