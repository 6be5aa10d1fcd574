"""The app, and its subscriptions to webhooks. Source: Meta, Webhooks; Instagram Platform, Webhooks."""

from __future__ import annotations

import hmac
from operator import attrgetter
from typing import TYPE_CHECKING

from instagram_sandbox.http.body import names
from instagram_sandbox.http.facebook import app_token
from instagram_sandbox.http.fields import fields_of, row_node
from instagram_sandbox.http.listing import page
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.errors import GraphError, invalid
from instagram_sandbox.simulator.state import Subscription
from instagram_sandbox.simulator.webhooks import OF_ACCOUNT, OF_PAGE, check_callback, verify

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.http.fields import Node
    from instagram_sandbox.simulator.sandbox import Settings
    from instagram_sandbox.simulator.state import Account

# Accounts and Pages


async def subscribe(call: Call, account: Account) -> Response:
    """Subscribe the app to fields of an account or of its Page."""
    node = call.request.url.path.rstrip("/").split("/")[-2]
    is_page = node == account.page_id or (node == "me" and call.token.kind == "page")
    fields = _fields(call, "subscribed_fields", OF_PAGE if is_page else OF_ACCOUNT)
    if "instagram" not in call.world.subscriptions:
        call.warn(
            "Nothing is sent until the app has a callback: POST /app/subscriptions with the token of the app."
        )
    _keep(call, account, sorted({*account.subscribed_fields, *fields}))
    return graph_json({"success": True})


async def subscriptions(call: Call, account: Account) -> Response:
    """Return the app and the fields that it is subscribed to."""
    apps = [call.sandbox.settings] if account.subscribed_fields else []

    def shown(settings: Settings) -> Node:
        row = {
            "id": settings.app_id,
            "name": "Sandbox app",
            "subscribed_fields": account.subscribed_fields,
        }
        return row_node("Application", row, tuple(row))

    return page(call, apps, shown, attrgetter("app_id"))


async def unsubscribe(call: Call, account: Account) -> Response:
    """End the app's subscriptions."""
    _keep(call, account, [])
    return graph_json({"success": True})


def _keep(call: Call, account: Account, fields: list[str]) -> None:
    account.subscribed_fields = fields
    call.world.accounts.keep(account)


def _fields(call: Call, name: str, known: tuple[str, ...]) -> list[str]:
    fields = names(call.params.get(name, ""))
    if not fields:
        raise invalid(f"The parameter {name} is required")
    for place, field in enumerate(fields):
        if field not in known:
            raise invalid(
                f'Param {name}[{place}] must be one of {{{", ".join(known)}}} - got "{field}"'
            )
    return fields


# The app


async def show_app(call: Call, settings: Settings) -> Response:
    """Return the app, by its own token or one that it has given. Source: Meta, Application."""
    if not _is_of_app(call):
        call.authenticate()
    row = {
        "id": settings.app_id,
        "name": "Sandbox app",
        "link": call.base_url,
        "category": "Business",
    }
    unset = dict.fromkeys(("company", "description", "namespace"))
    return graph_json(row_node("Application", row | unset, tuple(row)).read(fields_of(call)))


async def subscribe_app(call: Call, settings: Settings) -> Response:
    """Subscribe a callback to fields of all accounts. Source: Meta, Application Subscriptions."""
    _check_app(call)
    if call.params.get("object") != "instagram":
        raise invalid("Param object must be instagram, the only one that the sandbox sends")
    fields = _fields(call, "fields", OF_ACCOUNT)
    url = str(call.params.get("callback_url", ""))
    check_callback(url)
    await verify(url, str(call.params.get("verify_token", "")))
    call.world.subscriptions.keep(Subscription(object="instagram", callback_url=url, fields=fields))
    return graph_json({"success": True})


async def app_subscriptions(call: Call, settings: Settings) -> Response:
    """Return the app's callback, and the fields that are sent to it."""
    _check_app(call)

    def shown(one: Subscription) -> Node:
        fields = [{"name": name, "version": call.version} for name in one.fields]
        row = {
            "object": one.object,
            "callback_url": one.callback_url,
            "active": True,
            "fields": fields,
        }
        return row_node("Subscription", row, tuple(row))

    return page(call, list(call.world.subscriptions.values()), shown, attrgetter("object"))


async def unsubscribe_app(call: Call, settings: Settings) -> Response:
    """End the subscription of the app's callback."""
    _check_app(call)
    for one in list(call.world.subscriptions.values()):
        if call.params.get("object", one.object) == one.object:
            call.world.subscriptions.forget(one)
    return graph_json({"success": True})


def _is_of_app(call: Call) -> bool:
    return hmac.compare_digest(
        (call.token_text() or "").encode("utf-8", "replace"), app_token(call).encode()
    )


def _check_app(call: Call) -> None:
    if not _is_of_app(call):
        raise GraphError(15, None, "(#15) This method must be called with an app access_token.")
