"""The sandbox over HTTP: the Graph API, the login, uploads, pages and the control API.

State and Instagram's rules do not belong here: the simulator holds them.
"""
