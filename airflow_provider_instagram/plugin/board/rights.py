"""What a user may see and do on the page: each act needs the right that Airflow asks for the same act."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AssetDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models import Connection
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from fastapi import Depends, HTTPException
from sqlalchemy import select

from airflow_provider_instagram.plugin.board.deletions import deletion_dag
from airflow_provider_instagram.plugin.users import PageUser

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.stored_dags import CalendarDag

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
#: Acts that delete a post need the right to edit its calendar's DAG, and these rights to the DAG that deletes it,
#: which they may read as well.
DELETIONS: Final[dict[str, Right]] = {
    "delete": ("POST", DagAccessEntity.RUN),
    "confirm_deletion": ("PUT", DagAccessEntity.HITL_DETAIL),
    "keep": ("PUT", DagAccessEntity.HITL_DETAIL),
}
#: Acts that write to the ledger, which is the state of an asset.
LEDGER_ACTS: Final = ("live", "not_live")


def _viewer(user: Any = Depends(get_user)) -> PageUser:  # noqa: B008
    return PageUser(user)


#: The default of a route's parameter that is the user, who must be logged in.
VIEWER: Any = Depends(_viewer)


def may(user: PageUser, dag_id: str, rights: Iterable[Right]) -> bool:
    """Return whether a user has all of these rights to a DAG."""
    team = DagModel.get_team_name(dag_id) if conf.getboolean("core", "multi_team", fallback=False) else None
    details = DagDetails(id=dag_id, team_name=team)
    return all(
        get_auth_manager().is_authorized_dag(method=method, access_entity=entity, details=details, user=user.user)
        for method, entity in rights
    )


def own_accounts(calendar: CalendarDag) -> list[str]:
    """Return the accounts of a calendar. With teams, these are connections in the database that its team may use."""
    if not conf.getboolean("core", "multi_team", fallback=False):
        return list(calendar.accounts)
    wanted = Connection.conn_id.in_(calendar.accounts)
    with create_session(scoped=False) as session:
        rows = session.execute(select(Connection.conn_id, Connection.team_name).where(wanted))
        teams = {row.conn_id: row.team_name for row in rows}
    # Of a connection from the environment or a secrets backend, no API server knows whose it is.
    allowed = (None, DagModel.get_team_name(calendar.dag_id))
    return [conn_id for conn_id in calendar.accounts if conn_id in teams and teams[conn_id] in allowed]


def may_act(user: PageUser, dag_id: str, act: str) -> bool:
    """Return whether a user may do something to the posts of a calendar."""
    if act in LEDGER_ACTS and not get_auth_manager().is_authorized_asset(
        method="PUT", details=AssetDetails(), user=user.user
    ):
        return False
    if act in DELETIONS:
        deletes = deletion_dag()
        return bool(deletes) and may(user, dag_id, [("PUT", None)]) and may(user, deletes, [*READ, DELETIONS[act]])
    return may(user, dag_id, ACTS[act])


def may_edit(user: PageUser, dag_id: str) -> bool:
    """Return whether a user may edit a calendar's file: if the deployment allows it, who may edit the DAG."""
    is_allowed = conf.getboolean("instagram", "calendar_editing", fallback=False)
    return is_allowed and may(user, dag_id, (*READ, ("PUT", None)))


def require_read(user: PageUser, dag_id: str) -> None:
    """Refuse a user who may not read a calendar's DAG and its tasks."""
    if not may(user, dag_id, READ):
        raise HTTPException(403, f"You do not have permission to read the DAG {dag_id!r} and its task instances.")
