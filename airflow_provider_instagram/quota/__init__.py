"""How many calls and posts an account may make, and when the next one is possible.

Making the calls and posts does not belong here.
"""
