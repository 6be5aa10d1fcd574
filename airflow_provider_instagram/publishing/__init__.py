"""One key, one post: make a container, wait until it is ready, publish it once. No operators."""
