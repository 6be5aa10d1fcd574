"""The users of ``make ui``: who plans, who approves, and who looks, with the rights that the docs name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from demo.stack import AirflowStack

AUTH_MANAGER: Final = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
#: The name and the password of the administrator.
ADMIN: Final = ("admin", "admin")
#: What each person may do besides what FAB's role *Viewer* may, as FAB names it. Plugins have the
#: Posts page.
RIGHTS: Final = {
    "planner": [("can_read", "Plugins"), ("can_edit", "DAG:content_calendar_plan")],
    "approver": [
        ("can_read", "Plugins"),
        ("can_edit", "DAG:content_calendar"),
        ("can_edit", "HITL Detail"),
    ],
    "viewer": [("can_read", "Plugins")],
}


def add_people(airflow: AirflowStack) -> None:
    """Add the users, whose passwords are their names, unless an earlier start has added them."""
    known = {user["username"] for user in airflow.auth("GET", "users")["users"]}
    for name, rights in RIGHTS.items():
        if name in known:
            continue
        actions = [
            {"action": {"name": action}, "resource": {"name": resource}}
            for action, resource in rights
        ]
        airflow.auth("POST", "roles", json={"name": name, "actions": actions})
        roles = [{"name": "Viewer"}, {"name": name}]
        person = {"username": name, "password": name, "first_name": name, "last_name": name}
        airflow.auth(
            "POST", "users", json={**person, "email": f"{name}@example.com", "roles": roles}
        )
