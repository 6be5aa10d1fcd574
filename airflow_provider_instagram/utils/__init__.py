"""Helpers and constants for every room. They do not depend on posts, accounts or the API."""
