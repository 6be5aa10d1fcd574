"""Helpers that lead clients with constant hosts to the sandbox. The sandbox serves them under ``/redirects``."""
