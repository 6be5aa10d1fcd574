"""The digests of a post: of what is set, so that a new field changes the digest of no post without it."""

from __future__ import annotations

import json
from typing import Any


def canonical(values: Any) -> str:
    """Return the one JSON text of values: sorted, without white space."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
