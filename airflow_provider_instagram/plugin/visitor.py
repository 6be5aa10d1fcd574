"""Who asks for a page, and what he may do. Airflow mounts a plugin's pages open to everybody: each asks here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models import Connection
from fastapi import Depends, HTTPException

from airflow_provider_instagram.graph.addresses import Origin
from airflow_provider_instagram.plugin.state import Seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from fastapi import Request


@dataclass(frozen=True)
class Visitor:
    """A user of Airflow who may edit connections."""

    user: Any

    @property
    def id(self) -> str:
        """What tells this user from others."""
        return str(self.user.get_id())

    @property
    def name(self) -> str:
        """How Airflow calls this user."""
        return str(self.user.get_name())

    def may(self, method: Literal["PUT", "POST"], conn_id: str | None) -> bool:
        """Tell whether the user may change (PUT) or make (POST) a connection."""
        team = Connection.get_team_name(conn_id) if conn_id and conf.getboolean("core", "multi_team") else None
        details = ConnectionDetails(conn_id=conn_id, team_name=team)
        return bool(get_auth_manager().is_authorized_connection(method=method, details=details, user=self.user))

    def require(self, method: Literal["PUT", "POST"], conn_id: str | None) -> None:
        """Refuse a user who may not do that.

        :raises HTTPException: 403.
        """
        if not self.may(method, conn_id):
            what = "change" if method == "PUT" else "make"
            raise HTTPException(
                403, f"You may not {what} {f'the connection {conn_id!r}' if conn_id else 'connections'}."
            )


def _visitor(user: Any = Depends(get_user)) -> Visitor:  # noqa: B008
    visitor = Visitor(user)
    visitor.require("PUT", None)
    return visitor


#: Give this as a route's default: it asks for the user, and for the right to edit connections.
VISITOR: Any = Depends(_visitor)


def check_form(request: Request, form: Mapping[str, str], visitor: Visitor) -> None:
    """Refuse a form that is not ours: the browser sends Airflow's cookie with other sites' forms, too.

    :raises HTTPException: 403.
    """
    # The address that a request names is the browser's word: it counts only where Airflow does not know its own.
    ours = Origin.of(conf.get("api", "base_url", fallback="") or str(request.base_url))
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    same_site = site in (None, "same-origin") and origin in (None, str(ours)) and (site or origin)
    if not same_site or not Seal().is_form_token(form.get("form_token", ""), visitor.id):
        raise HTTPException(403, "This form did not come from this page, or is too old. Nothing was changed.")
