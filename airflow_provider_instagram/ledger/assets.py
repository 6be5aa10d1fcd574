"""The assets and aliases of an account: its ledger, its posts, and its insights."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias

from airflow_provider_instagram.exceptions import ValidationError


def ledger_asset(conn_id: str) -> Asset:
    """Return the asset whose state store is the ledger of a connection."""
    return _asset(conn_id, "ledger")


def ledger_alias(conn_id: str) -> AssetAlias:
    """Return the alias that keeps the ledger.

    Airflow deletes the state of an asset that no DAG refers to. An event through an alias ties the
    asset to the alias, and this tie outlives the DAGs. So the ledger still exists when a deleted
    DAG returns.
    """
    return AssetAlias(f"instagram://{conn_id}/ledger")


def posts_asset(conn_id: str) -> Asset:
    """Return the asset that has an event for every post that the account published."""
    return _asset(conn_id, "posts")


def posts_alias(conn_id: str) -> AssetAlias:
    """Return the alias through which a task emits an event of :func:`posts_asset`, only if it published a post."""
    return AssetAlias(f"instagram://{conn_id}/posts")


def insights_asset(conn_id: str) -> Asset:
    """Return the asset that has an event for every batch of numbers that was read of the account."""
    return _asset(conn_id, "insights")


def insights_alias(conn_id: str) -> AssetAlias:
    """Return the alias through which a task emits an event of :func:`insights_asset`, only if it has read numbers."""
    return AssetAlias(f"instagram://{conn_id}/insights")


def _asset(conn_id: str, what: str) -> Asset:
    """Return an asset of a connection.

    :raises ValidationError: If Airflow would drop a part of the id: the rows of two connections
        would have one address, by which they are sealed.
    """
    uri = f"instagram://{conn_id}/{what}"
    asset = Asset(name=uri, uri=uri)
    if asset.uri != uri:
        raise ValidationError(
            f"The id {conn_id!r} of a connection cannot be a part of an asset's address.",
            hint="Use letters, digits, dots, dashes and underscores.",
        )
    return asset
