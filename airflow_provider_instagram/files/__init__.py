"""Files in any location: how they are opened and downloaded, and which of them a user may name.

What the files contain, posts and accounts do not belong here.
"""
