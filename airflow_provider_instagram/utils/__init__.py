"""Helpers that any room may use and that know nothing of posts or accounts."""
