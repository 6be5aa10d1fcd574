"""The checks of everything that publishing needs: on one machine, and on the workers of a deployment."""

from __future__ import annotations
