"""Helpers that any room may use. They import no room but ``exceptions``."""
