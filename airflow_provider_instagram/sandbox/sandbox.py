"""A running sandbox: the little Instagram, its media, its journal, and the disturbances that are planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_instagram.sandbox.faults import PlannedFaults
from airflow_provider_instagram.sandbox.journal import Entry, Journal
from airflow_provider_instagram.sandbox.options import (
    DEFAULT_APP_ID,
    DEFAULT_APP_SECRET,
    DEFAULT_TOKEN,
    DEFAULT_USER_ID,
    DEFAULT_USERNAME,
)
from airflow_provider_instagram.sandbox.processing import Processor
from airflow_provider_instagram.sandbox.state import Account, Record, Switches
from airflow_provider_instagram.sandbox.store import Store
from airflow_provider_instagram.sandbox.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.sandbox.clock import Clock
    from airflow_provider_instagram.sandbox.faults import Fault


class _Offset(Record):
    """How far the clock was moved."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sandbox starts.

    :param folder: Where media and, when it is to survive, the state are kept.
    :param keep: Whether the state is written to the folder and read again at the next start.
    :param user_id: The first account's Instagram user id.
    :param username: The first account's name.
    :param token: The first account's long-lived token.
    :param app_id: The Meta app that may log people in.
    :param app_secret: Its secret.
    :param switches: How it answers where Meta leaves a choice.
    :param allowed_hosts: Names by which its own doors may be called, beside ``localhost`` and IP addresses.
    """

    folder: Path
    keep: bool = False
    user_id: str = DEFAULT_USER_ID
    username: str = DEFAULT_USERNAME
    token: str = DEFAULT_TOKEN
    app_id: str = DEFAULT_APP_ID
    app_secret: str = DEFAULT_APP_SECRET
    switches: Switches = field(default_factory=Switches)
    allowed_hosts: tuple[str, ...] = ()


@dataclass(slots=True)
class Sandbox:
    """All that a running sandbox is made of."""

    settings: Settings
    store: Store
    world: World
    processor: Processor
    journal: Journal
    faults: list[Fault]

    @classmethod
    def open(cls, settings: Settings, clock: Clock) -> Sandbox:
        """Start a sandbox, or take up the one whose state is in the folder; its former switches win."""
        media = settings.folder / "media"
        media.mkdir(parents=True, exist_ok=True)
        store = Store(settings.folder / "state.sqlite" if settings.keep else None)
        if offset := store.load("clock", _Offset).get(""):
            clock.advance(offset.seconds)
        world = World(clock, store.load("switches", Switches).get("", settings.switches), store)
        journal = Journal(list(store.load("journal", Entry).values()))
        for entry in journal.entries:
            if entry.account is not None:
                world.count_former_call(entry.account, entry.at, entry.weight)
        faults = store.load("faults", PlannedFaults).get("", PlannedFaults(planned=[])).planned
        sandbox = cls(settings, store, world, Processor(world, media), journal, faults)
        if not world.accounts:
            sandbox._open_first_account()
        return sandbox

    def _open_first_account(self) -> None:
        account = Account(user_id=self.settings.user_id, username=self.settings.username)
        self.world.add_account(account, self.settings.token)
        self.store.commit()

    @property
    def now(self) -> float:
        """The sandbox's time in seconds since the epoch."""
        return self.world.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.world.clock.advance(seconds)
        self.store.put("clock", "", _Offset(seconds=self.world.clock.offset_s))
        self.store.commit()

    def set_switches(self, switches: Switches) -> None:
        """Change how it answers."""
        self.world.switches = switches
        self.store.put("switches", "", switches)
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
        self.world = World(self.world.clock, self.settings.switches, self.store)
        self.processor = Processor(self.world, self.processor.folder)
        self.journal.clear()
        self.faults.clear()
        for path in self.processor.folder.iterdir():
            path.unlink()
        self._open_first_account()

    async def close(self) -> None:
        """End the work and close the state."""
        await self.processor.stop()
        self.store.close()
