"""Record what passes between a client and Meta, and compare it with the sandbox.

Knows HTTP and the journal of a recording. What Instagram does is ``simulator``'s.
"""
