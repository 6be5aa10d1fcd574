"""Whether everything that publishing needs is there: for an account, on a machine, on the workers of a deployment.

Repairs do not belong here: a check changes nothing.
"""

from __future__ import annotations
