"""Lineage of our tasks for OpenLineage. Only OpenLineage calls this, so only then are its modules imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def operator_lineage(
    inputs: Sequence[tuple[str, str]], outputs: Sequence[tuple[str, str]], facets: dict[str, Any] | None = None
) -> Any:
    """Return the lineage of a task.

    :param inputs: The namespace and the name of each dataset that the task reads.
    :param outputs: The namespace and the name of each dataset that the task writes.
    :param facets: Facets of the first output.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    return OperatorLineage(
        inputs=[Dataset(namespace, name) for namespace, name in inputs],
        outputs=[
            Dataset(namespace, name, facets=facets or {} if number == 0 else {})
            for number, (namespace, name) in enumerate(outputs)
        ],
    )
