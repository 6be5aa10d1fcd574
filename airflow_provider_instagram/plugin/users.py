"""Check who requests a page and what they may do, because Airflow serves a plugin's pages to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models import Connection
from fastapi import Depends, HTTPException, Request

from airflow_provider_instagram.plugin.state import BrowserState
from airflow_provider_instagram.utils.addresses import Origin


@dataclass(frozen=True)
class PageUser:
    """A user of Airflow who may edit connections."""

    user: Any

    @property
    def id(self) -> str:
        """The id of this user in Airflow."""
        return str(self.user.get_id())

    @property
    def name(self) -> str:
        """The name of this user in Airflow."""
        return str(self.user.get_name())

    def may(self, method: Literal["PUT", "POST"], conn_id: str | None) -> bool:
        """Return whether the user may edit (PUT) or create (POST) a connection."""
        team = Connection.get_team_name(conn_id) if conn_id and conf.getboolean("core", "multi_team") else None
        details = ConnectionDetails(conn_id=conn_id, team_name=team)
        return bool(get_auth_manager().is_authorized_connection(method=method, details=details, user=self.user))

    def require(self, method: Literal["PUT", "POST"], conn_id: str | None) -> None:
        """Refuse a user who may not edit or create a connection."""
        if not self.may(method, conn_id):
            action = "edit" if method == "PUT" else "create"
            target = f"the connection {conn_id!r}" if conn_id else "connections"
            raise HTTPException(403, f"You do not have permission to {action} {target}.")


class NoPagesError(HTTPException):
    """The user may see none of the pages, so that a link to another one leads nowhere."""


def _current_user(airflow_user: Any = Depends(get_user)) -> PageUser:  # noqa: B008
    user = PageUser(airflow_user)
    if not user.may("PUT", None):
        raise NoPagesError(403, "You do not have permission to edit connections.")
    return user


#: The default of a route's parameter that is the user, who must have the right to edit connections.
CURRENT_USER: Any = Depends(_current_user)


def check_form(request: Request, form: Mapping[str, str], user: PageUser) -> None:
    """Refuse a form that is not ours, because browsers send Airflow's cookie with the forms of other sites, too."""
    # The browser chooses the URL of a request, so it counts only if Airflow does not know its own URL.
    ours = Origin.of(conf.get("api", "base_url", fallback="") or str(request.base_url))
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    same_site = site in (None, "same-origin") and origin in (None, str(ours)) and (site or origin)
    if not same_site or not BrowserState().is_form_token(form.get("form_token", ""), user.id):
        raise HTTPException(
            403, "This form was not sent from this page, or it is too old. Nothing was changed. Reload the page."
        )
