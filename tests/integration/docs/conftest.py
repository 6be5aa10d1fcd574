"""The tests of the docs."""

from __future__ import annotations

from importlib.util import find_spec

#: ``tests/run.py`` plays this file by itself: the plugins of its provider would slow down all other processes.
collect_ignore = [] if find_spec("airflow.providers.common.ai") else ["test_agent.py"]
