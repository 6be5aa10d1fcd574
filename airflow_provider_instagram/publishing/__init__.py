"""One key, one post: create a container, wait until it is ready, publish it once.

Operators and their arguments do not belong here, and neither does the form of the ledger's rows.
"""
