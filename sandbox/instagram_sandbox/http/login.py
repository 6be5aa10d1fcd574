"""Meta's login: the page with Allow and Cancel, the code, and the exchange for tokens.

Source: Meta, Instagram API with Instagram Login: Business Login, and its access tokens.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.responses import JSONResponse, RedirectResponse, Response

from instagram_sandbox.http.pages import page
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator.accounts import DAY_S, HOUR_S
from instagram_sandbox.simulator.addresses import web_address
from instagram_sandbox.simulator.errors import GraphError, LoginError, invalid
from instagram_sandbox.simulator.scopes import BASIC, SCOPES, USUAL
from instagram_sandbox.simulator.state import LoginCode

if TYPE_CHECKING:
    from instagram_sandbox.simulator.sandbox import Sandbox, Settings
    from instagram_sandbox.simulator.scopes import Login, Scope
    from instagram_sandbox.simulator.state import Token


async def authorize(call: Call) -> Response:
    """Show the page on which a person allows an app to act for an account."""
    problem = _problem(call)
    if problem:
        return page(call.request, "problem.html", {"problem": problem}, status=400)
    login = _login(call)
    scopes = {name: SCOPES[login][name] for name in _scopes(call.params, login)}
    context = {
        "accounts": list(call.world.accounts.values()),
        "scopes": scopes,
        "params": call.params,
        "action": call.request.url.path,
        "login": login,
    }
    return page(call.request, "authorize.html", context, allow_submit=True)


async def decide(call: Call) -> Response:
    """Send the person back to the app, with a code or with a refusal."""
    params = call.params
    login = _login(call)
    problem = _problem(call)
    if problem:
        return page(call.request, "problem.html", {"problem": problem}, status=400)
    back: dict[str, str] = {"state": params["state"]} if params.get("state") else {}
    account = call.world.accounts.get(str(params.get("account")))
    if params.get("decision") != "allow" or account is None:
        refusal = {
            "error": "access_denied",
            "error_reason": "user_denied",
            "error_description": "The user denied your request.",
        }
        return _back(params["redirect_uri"], refusal | back)
    code = LoginCode(
        code="AQ" + secrets.token_urlsafe(90),
        login=login,
        user_id=account.user_id,
        app_id=params["client_id"],
        redirect_uri=params["redirect_uri"],
        scopes=_granted(params, login),
        issued_at=call.sandbox.now,
    )
    call.world.codes.keep(code)
    call.entry.account = account.user_id
    return _allowed(call, code, back)


def _allowed(call: Call, code: LoginCode, back: dict[str, str]) -> Response:
    """Return to the app with a code or, where a script asks Facebook for it, with a token behind the ``#``."""
    params = call.params
    wanted = _wanted(params)
    if "granted_scopes" in wanted:
        denied = set(_scopes(params, code.login)) - set(code.scopes)
        back = back | {
            "granted_scopes": ",".join(code.scopes),
            "denied_scopes": ",".join(sorted(denied)),
        }
    if "token" in wanted:
        token = call.world.add_token(
            code.user_id, long_lived=False, scopes=code.scopes, kind="user"
        )
        told = {
            "access_token": token.token,
            "expires_in": str(HOUR_S),
            "data_access_expiration_time": str(90 * DAY_S),
        }
        told |= {"code": code.code} if "code" in wanted else {}
        return RedirectResponse(f"{params['redirect_uri']}#{urlencode(told | back)}", 303)
    return _back(
        params["redirect_uri"],
        {"code": code.code} | back,
        "_=_" if code.login == "facebook" else "_",
    )


def _granted(params: dict[str, Any], login: Login) -> list[Scope]:
    """Return the scopes left switched on. A decision that was not posted from the page grants all of them."""
    return [
        name
        for name in _scopes(params, login)
        if not params.get("chosen") or params.get(f"grant_{name}")
    ]


def _back(redirect_uri: str, params: dict[str, str], fragment: str = "_") -> Response:
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return RedirectResponse(f"{redirect_uri}{joint}{urlencode(params)}#{fragment}", 303)


def _wanted(params: dict[str, Any]) -> set[str]:
    """Return what the parameter ``response_type`` asks for. Source: Meta, Facebook Login, Manually Build a Flow."""
    return set(str(params.get("response_type") or "code").replace(",", " ").split())


def _login(call: Call) -> Login:
    """Return which of the two logins is begun: by the path, the host, or the scopes that are asked for."""
    if "dialog" in call.request.url.path:
        return "facebook"
    if call.named_host is not None:
        return call.named_host
    asked = _asked(call.params)
    return "facebook" if asked and not asked - set(SCOPES["facebook"]) else "instagram"


def _problem(call: Call) -> str:
    params = call.params
    login = _login(call)
    if params.get("client_id") != call.sandbox.settings.app_id:
        return "Invalid platform app: the client_id is unknown."
    parts = web_address(str(params.get("redirect_uri", "")))
    if parts is None or parts.fragment:
        return "Invalid redirect_uri."
    if login == "facebook" and not _wanted(params) <= {"code", "token", "granted_scopes"}:
        return "Invalid response_type: it must be code, token or granted_scopes."
    if login == "instagram" and params.get("response_type") != "code":
        return "Invalid response_type: it must be code."
    asked = _asked(params)
    basic = BASIC[login]
    if (basic is not None and basic not in asked) or asked - set(SCOPES[login]):
        required = (
            f"{basic} is required, and unknown scopes are refused"
            if basic
            else "unknown scopes are refused"
        )
        return f"Invalid scope: {required}."
    return ""


def _asked(params: dict[str, Any]) -> set[str]:
    return set(str(params.get("scope", "")).replace(",", " ").split())


def _scopes(params: dict[str, Any], login: Login) -> list[Scope]:
    asked = _asked(params)
    if login == "facebook" and not asked and params.get("config_id"):
        return list(USUAL[login])  # a configuration of Facebook Login for Business names them
    return [scope for scope in SCOPES[login] if scope in asked]


def is_of_facebook(sandbox: Sandbox, params: dict[str, Any]) -> bool:
    """Return whether an exchange without a version is meant for Facebook's host, which shares its path here."""
    code = sandbox.world.codes.get(str(params.get("code", "")))
    return (code is not None and code.login == "facebook") or params.get("grant_type") in {
        "fb_exchange_token",
        "client_credentials",
    }


_SAME_LINK: Final = "Make sure that your redirect_uri is identical to the one that you used in the OAuth dialog request"
_CODES: Final = {
    "unknown": ("Invalid authorization code", 36007, "Invalid verification code format."),
    "used": (
        "This authorization code has been used",
        36009,
        "This authorization code has been used.",
    ),
    "expired": (
        "This authorization code has expired",
        36007,
        "This authorization code has expired.",
    ),
    "led elsewhere": (
        "Error validating verification code. The redirect_uri must be identical to the one used",
        36008,
        f"Error validating verification code. {_SAME_LINK}",
    ),
}
"""What is wrong with a code: Instagram's words for it, and Facebook's subcode and words."""


def redeem(call: Call, login: Login) -> LoginCode:
    """Use up the code that a client sent.

    :raises LoginError: It is not valid, at Instagram.
    :raises GraphError: It is not valid, at Facebook.
    """
    code = call.world.codes.get(str(call.params.get("code", "")))
    wrong = ""
    if code is None or (code.login, code.app_id) != (login, call.params.get("client_id")):
        wrong = "unknown"
    elif code.used:
        wrong = "used"
    elif call.sandbox.now >= code.issued_at + HOUR_S:
        wrong = "expired"
    elif call.params.get("redirect_uri") != code.redirect_uri:
        wrong = "led elsewhere"
    if code is None or wrong:
        of_instagram, subcode, of_facebook = _CODES[wrong]
        raise (
            LoginError(of_instagram)
            if login == "instagram"
            else GraphError(100, subcode, of_facebook)
        )
    code.used = True
    call.entry.account = code.user_id
    return call.world.codes.keep(code)


async def exchange_code(call: Call) -> Response:
    """Exchange a code for a short-lived token."""
    params = call.params
    if params.get("client_id") != call.sandbox.settings.app_id:
        raise LoginError("Invalid platform app")
    if not knows_secret(call):
        raise LoginError("Error validating client secret.")
    if params.get("grant_type") != "authorization_code":
        raise LoginError("Invalid grant_type: it must be authorization_code.")
    code = redeem(call, "instagram")
    token = call.world.add_token(code.user_id, long_lived=False, scopes=code.scopes)
    flat = {"access_token": token.token, "user_id": int(code.user_id), "permissions": code.scopes}
    documented = flat | {"user_id": code.user_id, "permissions": ",".join(code.scopes)}
    return JSONResponse(
        {"data": [documented]} if call.world.switches.login_answer == "data" else flat
    )


async def exchange_token(call: Call, settings: Settings) -> Response:
    """Exchange a short-lived token for a long-lived one. ``client_id`` is optional, but must be right if sent."""
    if call.params.get("grant_type") != "ig_exchange_token":
        raise invalid("grant_type must be ig_exchange_token")
    if call.params.get("client_id", settings.app_id) != settings.app_id:
        raise GraphError(101, None, "Error validating application. Invalid application ID.")
    if not knows_secret(call):
        raise GraphError(100, None, "Error validating client secret.")
    short = call.world.authenticate(_query_token(call), "instagram")
    if short.long_lived:
        raise GraphError(
            452,
            None,
            "Session key invalid. This could be because the session key has an incorrect format",
        )
    call.entry.account = short.user_id
    return token_answer(call, call.world.add_token(short.user_id, scopes=short.scopes))


async def refresh_token(call: Call, settings: Settings) -> Response:
    """Refresh a long-lived token for 60 more days."""
    if call.params.get("grant_type") != "ig_refresh_token":
        raise invalid("grant_type must be ig_refresh_token")
    token = call.world.authenticate(_query_token(call), "instagram")
    call.entry.account = token.user_id
    now = call.sandbox.now
    if not token.long_lived or now < token.issued_at + DAY_S:
        raise GraphError(
            10, None, "(#10) The access token must be long-lived and at least 24 hours old"
        )
    if not call.world.switches.refresh_changes_token:
        token.issued_at = now
        token.expires_at = now + 60 * DAY_S
        call.world.tokens.keep(token)
        return token_answer(call, token)
    fresh = call.world.add_token(token.user_id, scopes=token.scopes)
    if call.world.switches.refresh_revokes_old:
        token.revoked = 460
        call.world.tokens.keep(token)
    return token_answer(call, fresh)


def token_answer(call: Call, token: Token) -> Response:
    """Return a token as the exchanges of both logins do."""
    lasts = {"expires_in": int(token.expires_at - call.sandbox.now)} if token.ends else {}
    return graph_json({"access_token": token.token, "token_type": "bearer"} | lasts)


def _query_token(call: Call) -> str | None:
    return call.request.query_params.get("access_token")


def knows_secret(call: Call) -> bool:
    """Return whether a client sent the app's secret."""
    sent = str(call.params.get("client_secret", "")).encode("utf-8", "replace")
    return hmac.compare_digest(sent, call.sandbox.settings.app_secret.encode())
