"""Check who requests a page and what they may see and do, and seal what travels through their browser.

Airflow serves a plugin's pages to everybody, so each page checks its user: each act needs the right
that Airflow asks for the same act. What a browser keeps is encrypted with a key that all API
workers share.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AssetDetails,
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models import Connection
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from cryptography.fernet import Fernet, InvalidToken
from fastapi import Depends, HTTPException, Request
from sqlalchemy import select

from airflow_provider_instagram.accounts.connect import LoginApp
from airflow_provider_instagram.calendar.planning.settings import planner_id
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.logins import read_login
from airflow_provider_instagram.utils.encryption import derived_fernet
from airflow_provider_instagram.utils.urls import Origin

LOGIN_LIFE: Final = timedelta(minutes=10)
_FORM_LIFE: Final = timedelta(hours=12)
#: What is sealed, and for how long: a login in its cookie, its way to Instagram and back, the
#: secret that only our own forms contain, and a post that was removed from a calendar, whose links
#: may have signatures.
_LIVES: Final = {
    "cookie": LOGIN_LIFE,
    "state": LOGIN_LIFE,
    "form": _FORM_LIFE,
    "undo": _FORM_LIFE,
}
Purpose = Literal["cookie", "state", "form", "undo"]
Right = tuple["Literal['GET', 'POST', 'PUT']", DagAccessEntity | None]

#: Who may read a calendar's posts may read the DAG and its task instances.
READ: Final[tuple[Right, ...]] = (("GET", None), ("GET", DagAccessEntity.TASK_INSTANCE))
EDIT_TASKS: Final[Right] = ("PUT", DagAccessEntity.TASK_INSTANCE)
#: The rights that Airflow's own pages require for the same acts.
ACTS: Final[dict[str, tuple[Right, ...]]] = {
    "approve": (("PUT", DagAccessEntity.HITL_DETAIL),),
    "reject": (("PUT", DagAccessEntity.HITL_DETAIL),),
    "retry": (EDIT_TASKS,),
    "publish_now": (("POST", DagAccessEntity.RUN),),
    "skip": (EDIT_TASKS,),
    "unskip": (EDIT_TASKS,),
    "live": (EDIT_TASKS,),
    "not_live": (EDIT_TASKS,),
}
#: How the id of a DAG begins that deletes posts of the account which follows.
DELETES: Final = "delete_posts_of_"
#: Acts that write to the ledger, which is the state of an asset.
LEDGER_ACTS: Final = ("live", "not_live")


def sealed(purpose: Purpose, content: Mapping[str, Any]) -> str:
    """Return data for the browser, encrypted."""
    return _fernet(purpose).encrypt(json.dumps(content).encode()).decode()


def opened(purpose: Purpose, seal: str) -> dict[str, Any] | None:
    """Return the data that a browser has sent back, or None if it is forged, too old or for another purpose."""
    try:
        text = _fernet(purpose).decrypt(seal.encode(), int(_LIVES[purpose].total_seconds()))
    except InvalidToken:
        return None
    content: dict[str, Any] = json.loads(text)
    return content


def _fernet(purpose: Purpose) -> Fernet:
    shared = conf.get("core", "fernet_key", fallback="")
    shared = shared or conf.get("api_auth", "jwt_secret", fallback="")
    if not shared:
        raise ValidationError(
            "[core] fernet_key is not set, so Airflow would store the passwords of connections as plain text.",
            hint="Set the same key on all components of Airflow.",
        )
    return derived_fernet(shared, f"{purpose}/1")


@dataclass(frozen=True)
class PendingLogin:
    """A login in progress, kept in a cookie of the browser.

    :param nonce: A random value for this login only.
    """

    nonce: str
    user: str
    conn_id: str
    app: LoginApp

    @classmethod
    def of(cls, cookie: str) -> PendingLogin | None:
        """Return the login in a cookie, or None if the cookie is forged or too old."""
        if (login := opened("cookie", cookie)) is None:
            return None
        app = login.pop("app")
        return cls(**login, app=LoginApp(**{**app, "login": read_login(app["login"])}))

    @property
    def cookie(self) -> str:
        """The login as its cookie."""
        return sealed("cookie", asdict(self))

    @property
    def about(self) -> dict[str, str]:
        """What belongs to this login alone, for the way to Instagram and back."""
        return {"nonce": self.nonce, "user": self.user}


@dataclass(frozen=True)
class PageUser:
    """A user of Airflow."""

    user: Any

    @property
    def id(self) -> str:
        """The id of this user in Airflow."""
        return str(self.user.get_id())

    @property
    def name(self) -> str:
        """The name of this user in Airflow."""
        return str(self.user.get_name())

    @property
    def form_token(self) -> str:
        """The secret that only the forms of this user contain."""
        return sealed("form", {"user": self.id})

    def may(self, method: Literal["PUT", "POST"], conn_id: str | None) -> bool:
        """Return whether the user may edit (PUT) or create (POST) a connection."""
        team = Connection.get_team_name(conn_id) if conn_id and _has_teams() else None
        details = ConnectionDetails(conn_id=conn_id, team_name=team)
        manager = get_auth_manager()
        return bool(
            manager.is_authorized_connection(method=method, details=details, user=self.user)
        )

    def require(self, method: Literal["PUT", "POST"], conn_id: str | None) -> None:
        """Refuse a user who may not edit or create a connection."""
        if not self.may(method, conn_id):
            action = "edit" if method == "PUT" else "create"
            target = f"the connection {conn_id!r}" if conn_id else "connections"
            raise HTTPException(403, f"You do not have permission to {action} {target}.")


class NoPagesError(HTTPException):
    """The user may see none of the pages, so that a link to another one leads nowhere."""


def _viewer(user: Annotated[Any, Depends(get_user)]) -> PageUser:
    return PageUser(user)


#: A route's parameter that is the user, who must be logged in.
Viewer = Annotated[PageUser, Depends(_viewer)]


def _editor(user: Viewer) -> PageUser:
    if not user.may("PUT", None):
        raise NoPagesError(403, "You do not have permission to edit connections.")
    return user


#: A route's parameter that is the user, who must have the right to edit connections.
Editor = Annotated[PageUser, Depends(_editor)]


def check_form(request: Request, token: str, user: PageUser) -> None:
    """Refuse a form that is not ours, because browsers send Airflow's cookie with the forms of other sites, too."""
    # The browser chooses the URL of a request, so it counts only if Airflow does not know its own
    # URL.
    ours = Origin.of(conf.get("api", "base_url", fallback="") or str(request.base_url))
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    same_site = site in (None, "same-origin") and origin in (None, str(ours)) and (site or origin)
    if not same_site or opened("form", token) != {"user": user.id}:
        raise HTTPException(
            403,
            "This form was not sent from this page, or it is too old. Nothing was changed. Reload the page.",
        )


def may(user: PageUser, dag_id: str, rights: Iterable[Right]) -> bool:
    """Return whether a user has all of these rights to a DAG."""
    team = DagModel.get_team_name(dag_id) if _has_teams() else None
    details = DagDetails(id=dag_id, team_name=team)
    is_authorized = partial(get_auth_manager().is_authorized_dag, details=details, user=user.user)
    return all(is_authorized(method=method, access_entity=entity) for method, entity in rights)


def _has_teams() -> bool:
    return conf.getboolean("core", "multi_team", fallback=False)


def own_accounts(dag_id: str, accounts: Collection[str]) -> list[str]:
    """Return the accounts of a calendar. With teams, these are connections in the database that its team may use."""
    if not _has_teams():
        return list(accounts)
    wanted = Connection.conn_id.in_(accounts)
    with create_session(scoped=False) as session:
        rows = session.execute(select(Connection.conn_id, Connection.team_name).where(wanted))
        teams = {row.conn_id: row.team_name for row in rows}
    # Of a connection from the environment or a secrets backend, no API server knows whose it is.
    allowed = (None, DagModel.get_team_name(dag_id))
    return [conn_id for conn_id in accounts if conn_id in teams and teams[conn_id] in allowed]


def may_act(user: PageUser, dag_id: str, act: str) -> bool:
    """Return whether a user may do something to the posts of a calendar."""
    if act in LEDGER_ACTS and not get_auth_manager().is_authorized_asset(
        method="PUT", details=AssetDetails(), user=user.user
    ):
        return False
    return may(user, dag_id, ACTS[act])


def dag_that_deletes(user: PageUser, account: str) -> str | None:
    """Return the DAG that deletes posts of an account, if there is one and the user may start its runs."""
    dag_id = f"{DELETES}{account}"
    exists = select(DagModel.dag_id).where(DagModel.dag_id == dag_id, ~DagModel.is_stale)
    with create_session(scoped=False) as session:
        if session.scalar(exists) is None:
            return None
    return dag_id if may(user, dag_id, (("GET", None), ("POST", DagAccessEntity.RUN))) else None


def may_edit(user: PageUser, dag_id: str) -> bool:
    """Return whether a user may edit a calendar's file: if the deployment allows it, who may edit the planner's DAG.

    An approver needs the right to edit the DAG of the posts, so that right does not count.
    """
    if not conf.getboolean("instagram", "calendar_editing", fallback=False):
        return False
    return may(user, dag_id, READ) and may(user, planner_id(dag_id), (("PUT", None),))


def require_read(user: PageUser, dag_id: str) -> None:
    """Refuse a user who may not read a calendar's DAG and its tasks."""
    if not may(user, dag_id, READ):
        raise HTTPException(
            403, f"You do not have permission to read the DAG {dag_id!r} and its task instances."
        )
