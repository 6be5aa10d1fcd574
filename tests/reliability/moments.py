"""Where a scenario takes hold of the product: at each call that leaves it, and at each row of the ledger."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_instagram.sandbox.handle import connection_json
from tests.reliability.terms import Answer, Kill, Refusal, Revocation

if TYPE_CHECKING:
    import httpx

    from airflow_provider_instagram.sandbox.handle import SandboxHandle
    from tests.reliability.terms import Plant

CONNECTION = "AIRFLOW_CONN_INSTAGRAM_DEFAULT"
IMPATIENT_S = 0.3


class Killed(BaseException):
    """The process is gone: an end that nothing of ours may catch."""


@dataclass
class Moments:
    """Watches the calls and the ledger's rows go by, and does at a moment what was planned for it."""

    sandbox: SandboxHandle
    plants: tuple[Plant, ...]
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    done: set[Plant] = field(default_factory=set)

    def at(self, side: Literal["before", "after"], *, call: str | None = None, row: str | None = None) -> None:
        """Let a moment pass, or not."""
        moment = (side, call or f"row {row}")
        self.seen[moment] = self.seen.get(moment, 0) + 1
        for plant in self.plants:
            if isinstance(plant, Kill) and (plant.side, plant.call, plant.row) == (side, call, row):
                if plant.nth == self.seen[moment]:
                    self.done.add(plant)
                    raise Killed
            elif isinstance(plant, Refusal) and side == "before" and plant.row == row:
                if plant.nth == self.seen[moment]:
                    self.done.add(plant)
                    raise RuntimeError(f"The store does not take the row {row}.")
            elif (
                isinstance(plant, Revocation) and (side, plant.operation) == ("before", call) and plant not in self.done
            ):
                self.done.add(plant)
                self.sandbox.revoke(self.sandbox.token)
                if plant.replaced:
                    replace_token(self.sandbox)

    def on_request(self, request: httpx.Request) -> None:
        operation = _operation(request)
        self.at("before", call=operation)
        for plant in self.plants:
            impatient = isinstance(plant, Answer) and plant.client_timeout and plant.operation == operation
            if impatient and self.seen["before", operation] == 1:
                request.extensions["timeout"] = {**request.extensions["timeout"], "read": IMPATIENT_S}

    def on_response(self, response: httpx.Response) -> None:
        self.at("after", call=_operation(response.request))


def _operation(request: httpx.Request) -> str:
    path = request.url.path
    if request.method == "POST":
        return "upload" if "/ig-api-upload/" in path else "publish" if path.endswith("/media_publish") else "create"
    if path.endswith("/media"):
        return "media_list"
    return "media" if "permalink" in request.url.params["fields"] else "status"


class Store(dict[str, Any]):
    """The rows of Airflow's state store, with moments before and after each writing."""

    moments: Moments

    def set(self, key: str, value: Any) -> None:
        row = key.partition(":")[0]
        self.moments.at("before", row=row)
        self[key] = value
        self.moments.at("after", row=row)


class StoreOfAllAssets:
    """What a task finds in its context under ``asset_state_store``."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getitem__(self, asset: Any) -> Store:
        return self.store


def replace_token(sandbox: SandboxHandle) -> None:
    """Put a new token into the connection."""
    sandbox.token = sandbox.add_token(sandbox.user_id)
    os.environ[CONNECTION] = connection_json(sandbox)
