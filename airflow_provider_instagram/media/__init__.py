"""Videos and pictures: read a file, plan what it lacks for Instagram, make it comply, and check the result.

Airflow, object storage and the Graph API do not belong here.
"""

from __future__ import annotations
