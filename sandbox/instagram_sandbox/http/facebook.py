"""What a client of Facebook Login asks beside the Instagram API: Pages, permissions, tokens, places.

Source: Meta, Facebook Login for Business; Page; Access Tokens; Pages Search.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from instagram_sandbox.http import rows
from instagram_sandbox.http.fields import Node, constant, parse
from instagram_sandbox.http.pipeline import Call, Handler, graph_json
from instagram_sandbox.simulator.accounts import HOUR_S
from instagram_sandbox.simulator.errors import GraphError

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account, Token

PLACES: Final = (
    ("110774245616525", "Café Central", "Herrengasse 14", "Vienna", "Austria", 48.2104, 16.3655),
    ("110843418940484", "Harbour Studio", "Am Sandtorkai 5", "Hamburg", "Germany", 53.5440, 9.9880),
    ("106078429431815", "Golden Gate Park", "501 Stanyan St", "San Francisco", "United States", 37.7694, -122.4862),
    ("109532332414123", "Parque del Retiro", "Plaza de la Independencia 7", "Madrid", "Spain", 40.4153, -3.6845),
)
"""The Pages with a location that a search can find."""


async def pages(call: Call) -> Response:
    """Return the Pages that a person manages, with their tokens and Instagram accounts (``/me/accounts``)."""
    account, token = call.enter()
    _require_person(token)
    if "pages_show_list" not in token.scopes:
        return graph_json({"data": []})  # as the live API answers; it is the first trap of this login
    fields = rows.fields_of(call) or parse("access_token,category,name,id,tasks")
    page_token = call.world.page_token(account, token.scopes)
    return graph_json({"data": [rows.page_node(call, account, page_token.token).read(fields)]})


def _require_person(token: Token) -> None:
    if token.kind != "user":
        owner = "Page" if token.kind == "page" else "IGUser"
        raise GraphError(100, None, f"(#100) Tried accessing nonexisting field (accounts) on node type ({owner})")


def page(account: Account) -> Handler:
    """Return a reader of a Page."""

    async def read(call: Call) -> Response:
        own, token = call.enter()
        if own.user_id != account.user_id or token.kind == "instagram":
            raise GraphError(100, 33)
        page_token = call.world.page_token(account, token.scopes) if token.kind == "user" else token
        return graph_json(rows.page_node(call, account, page_token.token).read(rows.fields_of(call)))

    return read


async def permissions(call: Call) -> Response:
    """Return what a person granted to the app (``/me/permissions``)."""
    _, token = call.enter()
    return graph_json({"data": [{"permission": scope, "status": "granted"} for scope in token.scopes]})


async def search_places(call: Call) -> Response:
    """Search Pages with a location, for ``location_id`` (``/pages/search``)."""
    call.enter()
    asked = str(call.params.get("q", "")).strip().lower()
    if not asked:
        raise GraphError(100, None, "(#100) The parameter q is required")
    found = [place for place in PLACES if asked in " ".join(map(str, place[1:5])).lower()]
    fields = rows.fields_of(call)
    return graph_json({"data": [_place(*place).read(fields) for place in found]})


def _place(page_id: str, name: str, street: str, city: str, country: str, latitude: float, longitude: float) -> Node:
    location = {"street": street, "city": city, "country": country, "latitude": latitude, "longitude": longitude}
    values = {"id": page_id, "name": name, "location": location, "link": f"https://www.facebook.com/{page_id}"}
    readers = {key: constant(value) for key, value in values.items()}
    return Node("Page", readers, frozenset({"verification_status"}), default=("id", "name"))


async def debug_token(call: Call) -> Response:
    """Return what is known about a token (``/debug_token``)."""
    given = str(call.params.get("access_token", call.token_text() or ""))
    if given != app_token(call) and call.world.tokens.get(given) is None:
        raise GraphError(190)
    token = call.world.tokens.get(str(call.params.get("input_token", "")))
    if token is None:
        error = {"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"}
        return graph_json({"data": {"error": error, "is_valid": False, "scopes": []}})
    ends = 0 if token.kind == "page" else int(token.expires_at)
    known = {
        "app_id": call.sandbox.settings.app_id,
        "type": "PAGE" if token.kind == "page" else "USER",
        "application": "Sandbox app",
        "expires_at": ends,
        "is_valid": token.revoked is None and (not ends or call.sandbox.now < ends),
        "issued_at": int(token.issued_at),
        "scopes": token.scopes,
        "user_id": token.user_id,
    }
    return graph_json({"data": known})


def app_token(call: Call) -> str:
    """Return the token of the app itself. Source: Meta, App access tokens."""
    return f"{call.sandbox.settings.app_id}|{call.sandbox.settings.app_secret}"


# Tokens


async def token(call: Call) -> Response:
    """Exchange a code, or a token for one that lives longer (``/oauth/access_token`` of the Graph host)."""
    params = call.params
    if params.get("client_id") != call.sandbox.settings.app_id:
        raise GraphError(101, None, "Error validating application. Cannot get application info due to a system error.")
    secret = str(params.get("client_secret", "")).encode("utf-8", "replace")
    if not hmac.compare_digest(secret, call.sandbox.settings.app_secret.encode()):
        error = GraphError(1, None, "Error validating client secret.")
        error.status = 400  # code 1 is usually a server's fault, but not here
        raise error
    grant = params.get("grant_type", "authorization_code")
    if grant == "client_credentials":
        return graph_json({"access_token": app_token(call), "token_type": "bearer"})
    if grant == "fb_exchange_token":
        return _lengthen(call)
    if grant != "authorization_code":
        raise GraphError(100, None, "(#100) Invalid grant_type")
    return _exchange(call)


def _exchange(call: Call) -> Response:
    code = call.world.codes.get(str(call.params.get("code", "")))
    if code is None or code.login != "facebook":
        raise GraphError(100, 36007, "Invalid verification code format.")
    if code.used:
        raise GraphError(100, 36009, "This authorization code has been used.")
    if call.sandbox.now >= code.issued_at + HOUR_S:
        raise GraphError(100, 36007, "This authorization code has expired.")
    if call.params.get("redirect_uri") != code.redirect_uri:
        what = "Make sure that your redirect_uri is identical to the one that you used in the OAuth dialog request"
        raise GraphError(100, 36008, f"Error validating verification code. {what}")
    code.used = True
    call.sandbox.store.put("code", code.code, code)
    call.entry.account = code.user_id
    return _answer(call, call.world.add_token(code.user_id, long_lived=False, scopes=code.scopes, kind="user"))


def _lengthen(call: Call) -> Response:
    old = call.world.authenticate(str(call.params.get("fb_exchange_token", "")), "facebook")
    call.entry.account = old.user_id
    return _answer(call, call.world.add_token(old.user_id, scopes=old.scopes, kind="user"))


def _answer(call: Call, new: Token) -> Response:
    lasts_s = int(new.expires_at - call.sandbox.now)
    return graph_json({"access_token": new.token, "token_type": "bearer", "expires_in": lasts_s})
