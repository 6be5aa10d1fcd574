"""A DAG that runs the doctor on a worker of each queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import Any

from airflow.sdk import DAG, BaseOperator, Context, conf
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.doctor.findings import Finding
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID


@dataclass(frozen=True)
class WorkerReport:
    """What the doctor found on a worker."""

    queue: str
    machine: str
    versions: Mapping[str, str]
    findings: Sequence[Finding]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> WorkerReport:
        """Return a report from its fields in an XCom."""
        return cls(**{**data, "findings": tuple(Finding(**fields) for fields in data["findings"])})


def comparison(reports: Sequence[WorkerReport]) -> Finding:
    """Compare the workers' versions."""
    differing = []
    for name in dict.fromkeys(chain(*(report.versions for report in reports))):
        versions = {report.machine: report.versions.get(name, "none") for report in reports}
        if len(set(versions.values())) > 1:
            said = (f"{version} on {machine}" for machine, version in versions.items())
            differing.append(f"{name} {', '.join(said)}")
    if not differing:
        return Finding("versions", True, "are equal")
    text = f"differ: {'; '.join(differing)}. They must be the same on every worker"
    return Finding("versions", False, text)


class CheckWorkerOperator(BaseOperator):
    """Run the doctor on the worker that takes the task, and return what it found."""

    def __init__(self, *, conn_ids: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_ids = tuple(conn_ids)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run all checks."""
        from airflow_provider_instagram.doctor.checks import (
            account_findings,
            host_name,
            machine_findings,
            versions,
        )

        findings = list(machine_findings(_test_file(context, self.task_id)))
        for conn_id in self.conn_ids:
            findings += [
                replace(finding, what=f"{conn_id} {finding.what}")
                for finding in account_findings(conn_id)
            ]
        for finding in findings:
            self.log.info("%s", finding)
        return asdict(WorkerReport(self.queue, host_name(), versions(), findings))


class ReportWorkersOperator(BaseOperator):
    """Log what the checks found. The task fails if something needs fixing, or a check has failed."""

    def __init__(self, *, checks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checks = tuple(checks)

    def execute(self, context: Context) -> None:
        """Log the findings about each worker, and then those about all of them."""
        reports = []
        common = []
        for task_id in self.checks:
            if data := context["ti"].xcom_pull(task_ids=task_id):
                reports.append(WorkerReport.of(data))
            else:
                common.append(Finding("queue", False, f"{task_id} found nothing. See its log"))
        common += [comparison(reports), self._shared_files(context, reports)]
        found = {f"{report.machine} ({report.queue})": report.findings for report in reports}
        found["all workers"] = common
        for where, findings in found.items():
            for finding in findings:
                self.log.info("%s: %s", where, finding)
        if any(finding.good is False for finding in chain(*found.values())):
            raise AirflowFailException(
                "Something needs fixing: see the lines with FIX in this log."
            )

    def _shared_files(self, context: Context, reports: list[WorkerReport]) -> Finding:
        """Check whether this worker can read what the others wrote below ``[instagram] work_prefix``."""
        from airflow_provider_instagram.doctor.checks import host_name, read_work_file

        missing = [
            report.machine
            for report in reports
            if not read_work_file(_test_file(context, _check_id(report.queue)))
        ]
        if not missing:
            return Finding("shared work", True, f"{host_name()} can read what each worker wrote")
        text = (
            f"{host_name()} cannot read what {', '.join(missing)} wrote below {conf.get('instagram', 'work_prefix')}, "
            "so a task on another worker does not find a transcoded video. Set [instagram] work_prefix to object "
            "storage, or to a folder that all workers share"
        )
        return Finding("shared work", False, text)


def instagram_doctor_dag(
    dag_id: str = "instagram_doctor",
    *,
    queues: Sequence[str] = (),
    conn_ids: Sequence[str] = (DEFAULT_CONN_ID,),
    **dag_arguments: Any,
) -> DAG:
    """Return a DAG that checks a worker of each queue, and reports in the log of its task ``report``.

    :param conn_ids: The connections of the accounts.
    :param queues: The queues whose workers are checked. Default: ``[operators] default_queue``.
    """
    queues = tuple(queues) or (conf.get("operators", "default_queue"),)
    limits = {
        # the check of a queue without a worker stays queued until then
        "dagrun_timeout": timedelta(minutes=10),
        "tags": ["instagram"],
    }
    with DAG(dag_id, **{"schedule": None, **limits, **dag_arguments}) as dag:
        checks = [_check_id(queue) for queue in queues]
        for queue, task_id in zip(queues, checks, strict=True):
            CheckWorkerOperator(task_id=task_id, queue=queue, conn_ids=conn_ids, retries=0)
        report = ReportWorkersOperator(
            task_id="report", checks=checks, retries=0, trigger_rule="all_done"
        )
        report.set_upstream([dag.get_task(task_id) for task_id in checks])
    return dag


def _check_id(queue: str) -> str:
    return f"check_{queue}"


def _test_file(context: Context, task_id: str) -> str:
    """Return the name of the file that a check writes, which differs in each run."""
    run_id = "".join(each if each.isalnum() else "-" for each in str(context["ti"].run_id))
    return f"{run_id}.{task_id}.txt"
