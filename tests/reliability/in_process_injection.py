"""What happens at a moment of a job that runs in this process: it dies, a row is refused, a token dies."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instagram_sandbox.testing.handle import connection_json
from tests.reliability.scenario import ApiFault, ProcessKill, RefusedRow, TokenRevocation

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.scenario import Injection

CONNECTION = "AIRFLOW_CONN_INSTAGRAM_DEFAULT"
IMPATIENT_S = 0.3


class Killed(BaseException):
    """The process is gone. None of our code may catch this."""


@dataclass
class Moments:
    """Runs each injection at its moment, once.

    :param sandbox: The sandbox.
    :param injections: The injections.
    """

    sandbox: SandboxHandle
    injections: tuple[Injection, ...]
    seen: dict[str, int] = field(default_factory=dict)
    done: set[Injection] = field(default_factory=set)

    def at(self, moment: str, request: Any = None) -> None:
        """Run the injections of a moment."""
        self.seen[moment] = self.seen.get(moment, 0) + 1
        for injection in self.injections:
            if isinstance(injection, ApiFault):
                if self.seen[moment] == 1:
                    self._disturb(injection, moment, request)
            elif (
                isinstance(injection, (ProcessKill, RefusedRow, TokenRevocation))
                and injection not in self.done
                and self._is_at(injection, moment)
            ):
                self.done.add(injection)
                self._do(injection)

    def _disturb(self, fault: ApiFault, moment: str, request: Any) -> None:
        if fault.begins == moment:
            self.sandbox.fail(fault.operation, **fault.fault)
        if fault.client_timeout and moment == f"before {fault.operation}":
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": IMPATIENT_S}

    def _is_at(self, injection: Injection, moment: str) -> bool:
        if isinstance(injection, ProcessKill):
            return (f"{injection.side} {injection.call or f'row {injection.row}'}", injection.nth) == (
                moment,
                self.seen[moment],
            )
        if isinstance(injection, RefusedRow):
            return (f"before row {injection.row}", injection.nth) == (moment, self.seen[moment])
        return isinstance(injection, TokenRevocation) and moment == f"before {injection.operation}"

    def _do(self, injection: Injection) -> None:
        if isinstance(injection, ProcessKill):
            raise Killed
        if isinstance(injection, RefusedRow):
            raise RuntimeError(f"The store does not take the row {injection.row}.")
        self.sandbox.revoke(self.sandbox.token)
        if isinstance(injection, TokenRevocation) and injection.replaced:
            replace_token(self.sandbox)


def replace_token(sandbox: SandboxHandle) -> None:
    """Store a new token in the connection."""
    sandbox.token = sandbox.add_token(sandbox.user_id)
    os.environ[CONNECTION] = connection_json(sandbox)
