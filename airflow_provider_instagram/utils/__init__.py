"""Helpers that any room may use. They know no posts, and import no room but ``exceptions``."""
