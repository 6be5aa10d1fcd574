"""Helpers that any room may use. Nothing here knows posts, accounts or Instagram."""
