"""How many calls and posts an account may make, and when the next one is possible. No publishing."""
