"""The workers of a deployment: what was found on each of them, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.doctor.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The clock of the host is known to the second, and its answer takes a while.
_MAX_CLOCK_DIFFERENCE_S: Final = 5.0


@dataclass(frozen=True)
class WorkerReport:
    """What the doctor found on a worker.

    :param clock_s: How far its clock is ahead of Instagram's; None if that is unknown.
    """

    queue: str
    machine: str
    versions: Mapping[str, str]
    clock_s: float | None
    findings: Sequence[Finding]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> WorkerReport:
        """Return a report from its fields in an XCom."""
        return cls(**{**data, "findings": tuple(Finding(**fields) for fields in data["findings"])})


def comparison(reports: Sequence[WorkerReport]) -> Iterator[Finding]:
    """Compare the workers' versions and clocks."""
    differing = []
    for name in dict.fromkeys(name for report in reports for name in report.versions):
        versions = dict.fromkeys((report.versions.get(name, "none"), report.machine) for report in reports)
        if len({version for version, _ in versions}) > 1:
            differing.append(f"{name} {', '.join(f'{version} on {machine}' for version, machine in versions)}")
    text = f"differ: {'; '.join(differing)}. Install the same on every worker" if differing else "are equal"
    yield Finding("versions", not differing, text)
    clocks = [report.clock_s for report in reports if report.clock_s is not None]
    if len(clocks) < len(reports):
        yield Finding("clocks", None, "cannot be compared, because some workers do not know Instagram's clock")
    elif clocks:
        apart_s = max(clocks) - min(clocks)
        good, text = apart_s <= _MAX_CLOCK_DIFFERENCE_S, f"differ by {apart_s:.0f} s"
        yield Finding("clocks", good, text if good else f"{text}. Synchronize the workers' clocks with NTP")
