"""The assets and aliases of an account: its ledger, its posts, and its insights."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias


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
    uri = f"instagram://{conn_id}/{what}"
    return Asset(name=uri, uri=uri)
