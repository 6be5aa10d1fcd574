"""A strict local Instagram: Meta's publishing API, login and posts' pages on one local port."""
