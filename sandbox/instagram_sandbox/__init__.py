"""A local Instagram: Meta's publishing API, both logins and posts' pages on one local port.

Airflow and the provider do not belong here. Shared code would give both the same mistake, and no
test would find it.
"""
