"""What a test suite uses: a handle on a running sandbox, and the pytest plugin with its fixtures.

Nothing else in the sandbox imports this room.
"""
