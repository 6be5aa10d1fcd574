"""An Airflow provider that publishes videos to Instagram, on time and exactly once.

Only modules that authors or Airflow import by name stand here. Everything else belongs in a room.
"""

from __future__ import annotations
