"""The sandbox over HTTP: the Graph API, the login, uploads, pages and the control API. No state of its own."""
