"""A strict local Instagram: Meta's publishing API, login pages and apps, on one port of this machine."""
