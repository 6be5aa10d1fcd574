"""Subscriptions to webhooks, which clients make when an account is connected. The sandbox sends no webhooks.

Source: Meta, Instagram Platform, Webhooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instagram_sandbox.http.body import names
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account


async def subscribe(call: Call, account: Account) -> Response:
    """Subscribe the app to fields of an account or of its Page."""
    fields = names(call.params.get("subscribed_fields", ""))
    if not fields:
        raise invalid("The parameter subscribed_fields is required")
    call.warn("The sandbox sends no webhooks. It only remembers the subscription.")
    _keep(call, account, sorted({*account.subscribed_fields, *fields}))
    return graph_json({"success": True})


async def subscriptions(call: Call, account: Account) -> Response:
    """Return the app and the fields that it is subscribed to."""
    app = {"id": call.sandbox.settings.app_id, "name": "Sandbox app", "subscribed_fields": account.subscribed_fields}
    return graph_json({"data": [app] if account.subscribed_fields else []})


async def unsubscribe(call: Call, account: Account) -> Response:
    """End the app's subscriptions."""
    _keep(call, account, [])
    return graph_json({"success": True})


def _keep(call: Call, account: Account, fields: list[str]) -> None:
    account.subscribed_fields = fields
    call.world.accounts.keep(account)
