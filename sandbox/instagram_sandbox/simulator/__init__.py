"""What Instagram remembers and decides: accounts, containers, posts, errors, time.

Routes, pages and the server do not belong here.
"""
