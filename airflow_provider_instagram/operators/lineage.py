"""Lineage of our tasks for OpenLineage. Only OpenLineage calls this, so only then are its modules imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_instagram.utils.urls import shown


def dataset_of(location: str) -> tuple[str, str]:
    """Return the namespace and the name of a file, without the query of an address and without a connection."""
    scheme, separator, path = shown(location).partition("://")
    if not separator or scheme == "file":
        return "file", path or scheme
    host, _, name = path.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}", name.partition("?")[0]


def operator_lineage(inputs: Sequence[tuple[str, str]], outputs: Sequence[tuple[str, str]]) -> Any:
    """Return the lineage of a task, from the namespace and the name of each dataset that it reads and writes."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    return OperatorLineage(
        inputs=[Dataset(namespace, name) for namespace, name in inputs],
        outputs=[Dataset(namespace, name) for namespace, name in outputs],
    )


def container_lineage(conn_id: str, media: Iterable[Any], container_id: str | None) -> Any:
    """Return the lineage of a creation: the media in, the container out, if there is one."""
    outputs = [(f"instagram://{conn_id}", f"containers/{container_id}")] if container_id else []
    return operator_lineage([dataset_of(str(one)) for one in media if one], outputs)


def publication_lineage(conn_id: str, container_id: Any, media_id: str | None) -> Any:
    """Return the lineage of a publication: the container in, the post out, if there is one."""
    account = f"instagram://{conn_id}"
    outputs = [(account, f"posts/{media_id}")] if media_id else []
    return operator_lineage([(account, f"containers/{container_id}")], outputs)
