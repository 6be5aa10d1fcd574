"""Places that a post can name, as Meta's search describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_instagram.graph.fields import read_id, read_mapping, read_rows, read_text


class Place(NamedTuple):
    """A Facebook Page with a location. Source: Meta, Pages Search; IG User Media, location_id."""

    location_id: str
    name: str
    address: str


def read_places(data: Mapping[str, Any]) -> tuple[Place, ...]:
    """Read the answer to a search. A Page without a location is left out, because no post can name it."""
    rows = read_rows(data, "Pages")
    return tuple(_read(row, place) for row in rows if (place := read_mapping(row, "location")))


def _read(row: Mapping[str, Any], place: Mapping[str, Any]) -> Place:
    address = filter(None, (read_text(place, name) for name in ("street", "zip", "city", "country")))
    return Place(read_id(row), read_text(row, "name") or "", ", ".join(address))
