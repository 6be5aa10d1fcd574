"""A running sandbox: the little Instagram, its media, its journal, and the disturbances that are planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.sandbox.faults import PlannedFaults
from airflow_provider_instagram.sandbox.journal import Entry, Journal
from airflow_provider_instagram.sandbox.processing import Processor
from airflow_provider_instagram.sandbox.state import Account, Record, Switches
from airflow_provider_instagram.sandbox.store import Store
from airflow_provider_instagram.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_provider_instagram.sandbox.clock import Clock
    from airflow_provider_instagram.sandbox.faults import Fault


class _Offset(Record):
    """How far the clock was moved."""

    seconds: float


@dataclass(slots=True)
class Sandbox:
    """All that a running sandbox is made of."""

    world: World
    processor: Processor
    journal: Journal
    store: Store
    first: Account
    first_token: str
    first_switches: Switches
    app_id: str
    app_secret: str
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        keep: bool,
        first: Account,
        token: str,
        app_id: str,
        app_secret: str,
        switches: Switches,
        clock: Clock,
    ) -> Sandbox:
        """Start a sandbox, or take up the one whose state is in the folder.

        :param folder: Where media and state are kept.
        :param keep: Whether the state is written to the folder.
        :param first: The account that is opened at first.
        :param token: Its token.
        :param app_id: The Meta app that may log people in.
        :param app_secret: Its secret.
        :param switches: How it answers where Meta leaves a choice; former ones in the folder win.
        :param clock: Its time.
        """
        media = folder / "media"
        media.mkdir(parents=True, exist_ok=True)
        store = Store(folder / "state.sqlite" if keep else None)
        kept = store.load("switches", Switches).get("", switches)
        if offset := store.load("clock", _Offset).get(""):
            clock.advance(offset.seconds)
        world = World(clock, kept, store)
        journal = Journal(list(store.load("journal", Entry).values()))
        for entry in journal.entries:
            if entry.account is not None:
                world.count_former_call(entry.account, entry.at, entry.weight)
        faults = store.load("faults", PlannedFaults).get("", PlannedFaults(planned=[])).planned
        processor = Processor(world, media)
        sandbox = cls(world, processor, journal, store, first, token, switches, app_id, app_secret, faults)
        if not world.accounts:
            world.add_account(first, token)
        store.commit()
        return sandbox

    @property
    def now(self) -> float:
        """The sandbox's time in seconds since the epoch."""
        return self.world.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.world.clock.advance(seconds)
        self.store.put("clock", "", _Offset(seconds=self.world.clock.offset_s))
        self.store.commit()

    def set_switches(self, changes: Mapping[str, Any]) -> None:
        """Change some switches.

        :raises pydantic.ValidationError: A switch that does not exist, or a value it does not have.
        """
        self.world.switches = Switches.model_validate(self.world.switches.model_dump() | dict(changes))
        self.store.put("switches", "", self.world.switches)
        self.store.commit()

    def keep_faults(self) -> None:
        """Keep the planned disturbances, and how often each was met."""
        self.store.put("faults", "", PlannedFaults(planned=self.faults))
        self.store.commit()

    async def reset(self) -> None:
        """Return to the state of a new sandbox, at the real time."""
        await self.processor.stop()
        self.store.clear()
        self.world.clock.offset_s = 0.0
        self.world = World(self.world.clock, self.first_switches, self.store)
        self.processor = Processor(self.world, self.processor.folder)
        self.world.add_account(self.first.model_copy(), self.first_token)
        self.journal.clear()
        self.faults.clear()
        for path in self.processor.folder.iterdir():
            path.unlink()
        self.store.commit()

    async def close(self) -> None:
        """End the work and close the state."""
        await self.processor.stop()
        self.store.close()
