"""The workers of a deployment side by side: what each of them found, and what differs between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.doctor.findings import MARKS, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The clock of the host is known to the second, and its answer takes a while.
_MAX_CLOCK_DIFFERENCE_S: Final = 5.0
LONGEST_CELL: Final = 24


@dataclass(frozen=True)
class WorkerReport:
    """What the doctor found on a worker.

    :param clock_s: How far its clock is ahead of Instagram's; None if that is unknown.
    :param findings: What it found, by the connection or the machine that the checks are about.
    """

    queue: str
    machine: str
    versions: Mapping[str, str]
    clock_s: float | None
    findings: Mapping[str, Sequence[Finding]]

    def as_data(self) -> dict[str, Any]:
        """Return the report as data for an XCom."""
        findings = {about: [each.as_data() for each in found] for about, found in self.findings.items()}
        return {
            "queue": self.queue,
            "machine": self.machine,
            "versions": dict(self.versions),
            "clock_s": self.clock_s,
            "findings": findings,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> WorkerReport:
        """Return the report that :meth:`as_data` made."""
        findings = {about: tuple(Finding(**each) for each in found) for about, found in data["findings"].items()}
        return cls(data["queue"], data["machine"], data["versions"], data["clock_s"], findings)


def comparison(reports: Sequence[WorkerReport]) -> Iterator[Finding]:
    """Compare the workers' versions and clocks."""
    differing = []
    for name in dict.fromkeys(name for report in reports for name in report.versions):
        found = Counter(report.versions.get(name, "none") for report in reports)
        if len(found) > 1:
            where = (f"{report.versions.get(name, 'none')} on {report.machine}" for report in reports)
            differing.append(f"{name} {', '.join(dict.fromkeys(where))}")
    text = "; ".join(differing)
    yield Finding(
        "versions", not differing, f"differ: {text}. Install the same on every worker" if text else "are equal"
    )
    clocks = [report.clock_s for report in reports if report.clock_s is not None]
    if len(clocks) < len(reports):
        yield Finding("clocks", None, "cannot be compared, because some workers do not know Instagram's clock")
    elif clocks:
        apart_s = max(clocks) - min(clocks)
        good = apart_s <= _MAX_CLOCK_DIFFERENCE_S
        said = f"differ by {apart_s:.0f} s"
        yield Finding("clocks", good, said if good else f"{said}. Synchronize the workers' clocks with NTP")


def table(reports: Sequence[WorkerReport], common: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of a table with a column for each worker, and what to do below it."""
    names = [f"{report.machine} ({report.queue})"[:LONGEST_CELL] for report in reports]
    rows = dict.fromkeys(
        (about, finding.what) for report in reports for about, found in report.findings.items() for finding in found
    )
    yield _line(("", *names))
    for about, what in rows:
        cells = [
            next((MARKS[each.good] for each in report.findings.get(about, ()) if each.what == what), "")
            for report in reports
        ]
        yield _line((f"{about} {what}".strip(), *cells))
    for finding in common:
        yield _line((finding.what, MARKS[finding.good]))
    for name, report in zip(names, reports, strict=True):
        for about, found in report.findings.items():
            yield from (f"{name}, {about or 'machine'}: {each}" for each in found if each.good is not True)
    yield from (str(finding) for finding in common if finding.good is not True)


def needs_fixing(reports: Sequence[WorkerReport], common: Sequence[Finding]) -> bool:
    """Return whether something is to be fixed."""
    each = [finding for report in reports for found in report.findings.values() for finding in found]
    return any(finding.good is False for finding in (*each, *common))


def _line(cells: Sequence[str]) -> str:
    return "  ".join([f"{cells[0]:<32}", *(f"{cell:<{LONGEST_CELL}}" for cell in cells[1:])]).rstrip()
