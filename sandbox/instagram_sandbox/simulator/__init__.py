"""What Instagram remembers and decides: accounts, containers, posts, errors, time. No HTTP server."""
