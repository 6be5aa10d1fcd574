"""A running sandbox: its world, media, journal and planned faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instagram_sandbox.options import (
    DEFAULT_APP_ID,
    DEFAULT_APP_SECRET,
    DEFAULT_TOKEN,
    DEFAULT_USER_ID,
    DEFAULT_USERNAME,
)
from instagram_sandbox.simulator.faults import Fault
from instagram_sandbox.simulator.inspections import Inspections
from instagram_sandbox.simulator.journal import Entry, Journal
from instagram_sandbox.simulator.processing import Processor
from instagram_sandbox.simulator.state import Account
from instagram_sandbox.simulator.store import Store
from instagram_sandbox.simulator.switches import Switches, mode_switches
from instagram_sandbox.simulator.webhooks import Deliveries
from instagram_sandbox.simulator.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.simulator.clock import Clock


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that a sandbox starts with.

    :param folder: Where media and the state are stored. A sandbox with the folder of an earlier one
        goes on from there.
    :param app_id: The Meta app that may log people in.
    :param switches: How the sandbox behaves where Meta's behaviour is open; by default, as in the
        strict mode.
    :param allowed_hosts: Host names that pages and control routes accept, besides ``localhost`` and
        IP addresses.
    """

    folder: Path
    user_id: str = DEFAULT_USER_ID
    username: str = DEFAULT_USERNAME
    token: str = DEFAULT_TOKEN
    app_id: str = DEFAULT_APP_ID
    app_secret: str = DEFAULT_APP_SECRET
    switches: Switches = field(default_factory=lambda: mode_switches(strict=True))
    allowed_hosts: tuple[str, ...] = ()


@dataclass(slots=True)
class Sandbox:
    """The parts of a running sandbox."""

    settings: Settings
    store: Store
    world: World
    processor: Processor
    journal: Journal
    faults: list[Fault]
    webhooks: Deliveries

    @classmethod
    def open(cls, settings: Settings, clock: Clock) -> Sandbox:
        """Start a sandbox, or resume the one whose state is in the folder, with the switches that it had."""
        media = settings.folder / "media"
        media.mkdir(parents=True, exist_ok=True)
        state = settings.folder / "state.sqlite"
        state.touch(mode=0o600)  # it holds tokens, and SQLite gives its other files the same mode
        store = Store(state)
        if offset := store.one("clock", float):
            clock.advance(offset)
        world = World(clock, store.one("switches", Switches) or settings.switches, store)
        journal = Journal(store)
        for entry in store.each("journal", Entry):
            if entry.account is not None:
                world.count_former_call(entry.account, entry.at, entry.weight)
        faults = store.one("faults", list[Fault]) or []
        processor = Processor(world, media, journal.warn, Inspections())
        webhooks = Deliveries(world, journal, settings.app_secret)
        sandbox = cls(settings, store, world, processor, journal, faults, webhooks)
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
        self.store.put("clock", "", self.world.clock.offset_s)
        self.store.commit()

    def set_switches(self, switches: Switches) -> None:
        """Change the switches."""
        self.world.switches = switches
        self.store.put("switches", "", switches)
        self.store.commit()

    def keep_faults(self) -> None:
        """Store the planned faults, and how often each was hit."""
        self.store.put("faults", "", self.faults)
        self.store.commit()

    async def reset(self) -> None:
        """Reset the sandbox to its initial state and to the real time."""
        await self.webhooks.stop()
        await self.processor.stop()
        self.store.clear()
        self.world.clock.offset_s = 0.0
        self.world = World(self.world.clock, self.settings.switches, self.store)
        self.processor = Processor(
            self.world, self.processor.folder, self.journal.warn, self.processor.inspections
        )
        self.webhooks = Deliveries(self.world, self.journal, self.settings.app_secret)
        self.journal.clear()
        self.faults.clear()
        for path in self.processor.folder.iterdir():
            path.unlink()
        self._open_first_account()

    async def settle(self) -> None:
        """Wait for all running inspections and webhooks."""
        await self.processor.settle()
        await self.webhooks.settle()

    async def close(self) -> None:
        """Stop all work and close the store."""
        await self.webhooks.stop()
        await self.processor.stop()
        self.store.close()
