"""The assets and aliases of an account: its ledger, its posts, and its insights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def ledger_asset(conn_id: str) -> Asset:
    """Return the asset whose state store is the ledger of a connection."""
    return create_asset(conn_id, "ledger")


def ledger_alias(conn_id: str) -> AssetAlias:
    """Return the alias that keeps the ledger.

    Airflow deletes the state of an asset that no DAG refers to. An event through an alias ties the
    asset to the alias, and this tie outlives the DAGs. So the ledger still exists when a deleted
    DAG returns.
    """
    return AssetAlias(f"instagram://{conn_id}/ledger")


def posts_asset(conn_id: str) -> Asset:
    """Return the asset that has an event for every post that the account published."""
    return create_asset(conn_id, "posts")


def posts_alias(conn_id: str) -> AssetAlias:
    """Return the alias through which a task emits an event of :func:`posts_asset`, only if it published a post."""
    return AssetAlias(f"instagram://{conn_id}/posts")


def insights_asset(conn_id: str) -> Asset:
    """Return the asset that has an event for every batch of numbers that was read of the account."""
    return create_asset(conn_id, "insights")


def insights_alias(conn_id: str) -> AssetAlias:
    """Return the alias through which a task emits an event of :func:`insights_asset`, only if it has read numbers."""
    return AssetAlias(f"instagram://{conn_id}/insights")


def create_asset(conn_id: str, name: str, extra: Mapping[str, Any] | None = None) -> Asset:
    """Return an asset of a connection. Airflow calls this for the scheme ``instagram``.

    :raises ValidationError: If Airflow would drop a part of the id: the rows of two connections
        would have one address, by which they are sealed.
    """
    uri = f"instagram://{conn_id}/{name}"
    asset = Asset(name=uri, uri=uri, extra=dict(extra or {}))
    if asset.uri != uri:
        raise ValidationError(
            f"The id {conn_id!r} of a connection cannot be a part of an asset's address.",
            hint="Use letters, digits, dots, dashes and underscores.",
        )
    return asset


def to_openlineage(asset: Asset, _lineage_context: object) -> Any:
    """Return the dataset of OpenLineage that stands for an asset: the account is its namespace."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    namespace, _, name = asset.uri.rpartition("/")
    return Dataset(namespace=namespace, name=name)
