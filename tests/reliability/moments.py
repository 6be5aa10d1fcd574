"""What happens at a moment of a job that runs in this process: it dies, a row is refused, a token dies."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instagram_sandbox.testing.handle import connection_json
from tests.reliability.terms import Answer, Kill, Refusal, Revocation

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.terms import Plant

CONNECTION = "AIRFLOW_CONN_INSTAGRAM_DEFAULT"
IMPATIENT_S = 0.3


class Killed(BaseException):
    """The process is gone: an end that nothing of ours may catch."""


@dataclass
class Moments:
    """Does at a moment what was planned for it, once.

    :param sandbox: The sandbox.
    :param plants: The plans.
    """

    sandbox: SandboxHandle
    plants: tuple[Plant, ...]
    seen: dict[str, int] = field(default_factory=dict)
    done: set[Plant] = field(default_factory=set)

    def at(self, moment: str, _: int, request: Any = None) -> None:
        """Let a moment pass, or not."""
        self.seen[moment] = self.seen.get(moment, 0) + 1
        for plant in self.plants:
            if isinstance(plant, Answer):
                impatient = plant.client_timeout and moment == f"before {plant.operation}" and self.seen[moment] == 1
                if impatient:
                    request.extensions["timeout"] = {**request.extensions["timeout"], "read": IMPATIENT_S}
            elif (
                isinstance(plant, (Kill, Refusal, Revocation)) and plant not in self.done and self._is_at(plant, moment)
            ):
                self.done.add(plant)
                self._do(plant)

    def _is_at(self, plant: Plant, moment: str) -> bool:
        if isinstance(plant, Kill):
            return (f"{plant.side} {plant.call or f'row {plant.row}'}", plant.nth) == (moment, self.seen[moment])
        if isinstance(plant, Refusal):
            return (f"before row {plant.row}", plant.nth) == (moment, self.seen[moment])
        return isinstance(plant, Revocation) and moment == f"before {plant.operation}"

    def _do(self, plant: Plant) -> None:
        if isinstance(plant, Kill):
            raise Killed
        if isinstance(plant, Refusal):
            raise RuntimeError(f"The store does not take the row {plant.row}.")
        self.sandbox.revoke(self.sandbox.token)
        if isinstance(plant, Revocation) and plant.replaced:
            replace_token(self.sandbox)


def replace_token(sandbox: SandboxHandle) -> None:
    """Put a new token into the connection."""
    sandbox.token = sandbox.add_token(sandbox.user_id)
    os.environ[CONNECTION] = connection_json(sandbox)
