"""Files in any location: what a location is, and which locations a user may name. Independent of posts."""
