"""What a client of Facebook Login asks beside the Instagram API: Pages, permissions, tokens, places.

Source: Meta, Facebook Login for Business; Page; Access Tokens; Pages Search.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from instagram_sandbox.http import rows
from instagram_sandbox.http.fields import Node, Value, constant, row_node
from instagram_sandbox.http.listing import link_to, page, paged
from instagram_sandbox.http.login import knows_secret, redeem, token_answer
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.errors import GraphError, invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.sandbox import Settings
    from instagram_sandbox.simulator.scopes import Scope
    from instagram_sandbox.simulator.state import Account, Token

Place: TypeAlias = tuple[str, str, str, str, str, float, float]
PLACES: Final[tuple[Place, ...]] = (
    ("110774245616525", "Café Central", "Herrengasse 14", "Vienna", "Austria", 48.2104, 16.3655),
    ("110843418940484", "Harbour Studio", "Am Sandtorkai 5", "Hamburg", "Germany", 53.5440, 9.9880),
    (
        "106078429431815",
        "Golden Gate Park",
        "501 Stanyan St",
        "San Francisco",
        "United States",
        37.7694,
        -122.4862,
    ),
    (
        "109532332414123",
        "Parque del Retiro",
        "Plaza de la Independencia 7",
        "Madrid",
        "Spain",
        40.4153,
        -3.6845,
    ),
)
"""The Pages with a location that a search can find."""

PAGE_ID: Final = attrgetter("page_id")
BUSINESS_ID: Final = attrgetter("business_id")

_PERSON_UNSET: Final = frozenset(
    {
        "about",
        "age_range",
        "birthday",
        "gender",
        "hometown",
        "link",
        "locale",
        "location",
        "middle_name",
    }
    | {"name_format", "short_name", "timezone", "updated_time", "verified"}
)
_PAGE_UNSET: Final = frozenset(
    {
        "about",
        "bio",
        "business",
        "category_list",
        "cover",
        "description",
        "emails",
        "fan_count",
        "followers_count",
    }
    | {"is_published", "location", "phone", "verification_status", "website"}
)

# Pages and people


def page_node(call: Call, account: Account) -> Node:
    """Return the Facebook Page of an account, with its access token. Source: Meta, Page reference."""
    token = call.world.page_token(account, call.token) if call.token.kind == "user" else call.token
    linked = rows.account_node(call, account)
    is_professional = account.account_type != "PERSONAL"
    values: dict[str, Value] = {
        "id": constant(account.page_id),
        "name": constant(account.name or account.username),
        "username": constant(account.username),
        "category": constant("Brand"),
        "link": constant(f"{call.base_url}/u/{account.username}/"),
        "tasks": constant(["ANALYZE", "ADVERTISE", "MODERATE", "CREATE_CONTENT", "MANAGE"]),
        "picture": picture(call, account),
        "instagram_business_account": lambda field: (
            linked.read(field.inner) if is_professional else None
        ),
        "connected_instagram_account": lambda field: linked.read(field.inner),
        "access_token": constant(token.token),
    }
    return Node("Page", values, _PAGE_UNSET, default=("id", "name"))


def person_node(call: Call, account: Account) -> Node:
    """Return the person who manages an account's Page. Source: Meta, User reference."""
    values: dict[str, Value] = {
        "id": constant(account.person_id),
        "name": constant(account.name or account.username),
        "first_name": constant(account.username),
        "last_name": constant("Studio"),
        "email": constant(f"{account.username}@example.com"),
        "picture": picture(call, account),
        "accounts": lambda field: paged(
            call,
            _shown(call),
            partial(_listed_page, call),
            field,
            link_to(call, "me/accounts", field),
            PAGE_ID,
        ),
        "businesses": lambda field: paged(
            call, [account], _business, field, link_to(call, "me/businesses", field), BUSINESS_ID
        ),
    }
    return Node("User", values, _PERSON_UNSET, default=("id", "name"))


def picture(call: Call, account: Account) -> Value:
    """Return the reader of a picture as Facebook has it."""
    url = f"{call.base_url}/u/{account.username}/picture.svg"
    of_picture = constant({"height": 96, "is_silhouette": False, "url": url, "width": 96})
    return lambda field: {"data": of_picture(field)}


def _shown(call: Call) -> list[Account]:
    """Return the accounts whose Pages a person's token lists."""
    if "pages_show_list" not in call.token.scopes or call.token.kind == "system":
        return []  # as the live API answers; it is the first trap of this login
    return [each for each in call.world.reached(call.token) if not each.portfolio]


def _listed_page(call: Call, account: Account) -> Node:
    return replace(
        page_node(call, account), default=("access_token", "category", "name", "id", "tasks")
    )


def _business(account: Account) -> Node:
    row = {"id": account.business_id, "name": account.name or account.username}
    return row_node("Business", row, ("id", "name"))


def system_user_node(call: Call, account: Account) -> Node:
    """Return the system user of a business integration, whose fields Meta's pages do not list beyond these."""
    values = {"id": constant(account.business_id), "name": constant("Sandbox integration")}
    return Node("SystemUser", values, default=("id", "name"))


async def pages(call: Call, account: Account) -> Response:
    """Return the Pages that a person manages, with their tokens and Instagram accounts."""
    return page(call, _shown(call), partial(_listed_page, call), PAGE_ID)


async def businesses(call: Call, account: Account) -> Response:
    """Return the business portfolios of a person. Source: Meta, User, Businesses."""
    return page(call, [account], _business, BUSINESS_ID)


async def owned_pages(call: Call, account: Account) -> Response:
    """Return the Pages that a portfolio owns."""
    own = [each for each in call.world.reached(call.token) if each.portfolio != "client"]
    return page(call, own, partial(_listed_page, call), PAGE_ID)


async def client_pages(call: Call, account: Account) -> Response:
    """Return the Pages of a portfolio's clients."""
    of_clients = [each for each in call.world.reached(call.token) if each.portfolio == "client"]
    return page(call, of_clients, partial(_listed_page, call), PAGE_ID)


async def permissions(call: Call, account: Account) -> Response:
    """Return what a person granted to the app."""
    return graph_json(
        {"data": [{"permission": scope, "status": "granted"} for scope in call.token.scopes]}
    )


async def revoke(call: Call, account: Account) -> Response:
    """Take back what a person granted to the app: all of it, or one permission. Source: Meta, User, Permissions."""
    name = call.request.url.path.rstrip("/").rpartition("/permissions")[2].strip("/")
    for token in call.world.tokens.values():
        if (
            call.world.accounts[token.user_id].person_id != account.person_id
            or token.kind == "instagram"
        ):
            continue
        if name:
            token.scopes = [scope for scope in token.scopes if scope != name]
        else:
            token.revoked = 458  # the person has not authorized the app
        call.world.tokens.keep(token)
    return graph_json({"success": True})


async def search_places(call: Call, account: Account) -> Response:
    """Search Pages with a location, for ``location_id``."""
    asked = str(call.params.get("q", "")).strip().lower()
    if not asked:
        raise invalid("The parameter q is required")
    found = [place for place in PLACES if asked in " ".join(map(str, place[1:5])).lower()]
    return page(call, found, _place, itemgetter(0))


def _place(place: Place) -> Node:
    page_id, name, street, city, country, latitude, longitude = place
    location = {
        "street": street,
        "city": city,
        "country": country,
        "latitude": latitude,
        "longitude": longitude,
    }
    row = {
        "id": page_id,
        "name": name,
        "location": location,
        "link": f"https://www.facebook.com/{page_id}",
    }
    return replace(row_node("Page", row, ("id", "name")), unset=frozenset({"verification_status"}))


async def debug_token(call: Call, settings: Settings) -> Response:
    """Return what is known about a token."""
    given = str(call.params.get("access_token", call.token_text() or ""))
    if given != app_token(call) and call.world.tokens.get(given) is None:
        raise GraphError(190)
    token = call.world.tokens.get(str(call.params.get("input_token", "")))
    if token is None:
        error = {"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"}
        return graph_json({"data": {"error": error, "is_valid": False, "scopes": []}})
    ends = int(token.expires_at) if token.ends else 0
    known = {
        "app_id": settings.app_id,
        "type": {"page": "PAGE", "system": "SYSTEM_USER"}.get(token.kind, "USER"),
        "application": "Sandbox app",
        "expires_at": ends,
        "is_valid": token.revoked is None and (not ends or call.sandbox.now < ends),
        "issued_at": int(token.issued_at),
        "data_access_expires_at": token.data_access_ends_at,
        "scopes": token.scopes,
        "granular_scopes": [_granular(call, token, scope) for scope in token.scopes],
        "user_id": token.user_id,
    }
    return graph_json({"data": known})


def _granular(call: Call, token: Token, scope: Scope) -> dict[str, Any]:
    """Return a permission with the Pages and accounts that it covers. Source: Meta, Debug Token."""
    reached = call.world.reached(token)
    if scope.startswith("instagram_"):
        return {
            "scope": scope,
            "target_ids": [each.user_id for each in reached if each.account_type != "PERSONAL"],
        }
    if scope.startswith("pages_"):
        return {"scope": scope, "target_ids": [each.page_id for each in reached]}
    return {"scope": scope}


def app_token(call: Call) -> str:
    """Return the token of the app itself. Source: Meta, App access tokens."""
    return f"{call.sandbox.settings.app_id}|{call.sandbox.settings.app_secret}"


# Tokens


async def token(call: Call) -> Response:
    """Exchange a code, or a token for one that lives longer (``/oauth/access_token`` of the Graph host)."""
    if not call.params.get("client_id"):
        raise GraphError(101, None, "Missing client_id parameter.")
    if call.params["client_id"] != call.sandbox.settings.app_id:
        raise GraphError(
            101,
            None,
            "Error validating application. Cannot get application info due to a system error.",
        )
    if not knows_secret(call):
        error = GraphError(1, None, "Error validating client secret.")
        error.status = 400  # code 1 is usually a server's fault, but not here
        raise error
    grant = call.params.get("grant_type", "authorization_code")
    if grant == "client_credentials":
        return graph_json({"access_token": app_token(call), "token_type": "bearer"})
    if grant == "fb_exchange_token":
        old = call.world.authenticate(str(call.params.get("fb_exchange_token", "")), "facebook")
        call.entry.account = old.user_id
        return token_answer(
            call, call.world.add_token(old.user_id, scopes=old.scopes, kind=old.kind, ends=old.ends)
        )
    if grant != "authorization_code":
        raise invalid("Invalid grant_type")
    code = redeem(call, "facebook")
    if call.world.accounts[code.user_id].unified_login:
        return token_answer(
            call, call.world.add_token(code.user_id, scopes=code.scopes, kind="system", ends=False)
        )
    return token_answer(
        call, call.world.add_token(code.user_id, long_lived=False, scopes=code.scopes, kind="user")
    )
