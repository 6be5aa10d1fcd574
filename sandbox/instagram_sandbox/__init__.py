"""A local Instagram: Meta's publishing API, both logins and posts' pages on one local port.

Airflow and the provider do not belong here: what the two had in common, they would get wrong together.
"""
