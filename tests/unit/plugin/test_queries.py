"""What the Posts page takes from Airflow's models: public names, on each version of Airflow that tests run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_instagram.calendar import stored_dags
from airflow_provider_instagram.plugin.board import queries

USED = {
    "airflow.jobs.job.Job": "job_type latest_heartbeat",
    "airflow.models.asset.AssetModel": "id uri",
    "airflow.models.asset_state_store.AssetStateStoreModel": "asset_id key value updated_at",
    "airflow.models.dag.DagModel":
        "dag_id dag_display_name is_paused is_stale last_parsed_time relative_fileloc has_import_errors "
        "max_active_runs",
    "airflow.models.dag.DagTag": "dag_id name",
    "airflow.models.dagrun.DagRun": "id dag_id run_id state queued_at run_after logical_date conf updated_at",
    "airflow.models.hitl.HITLDetail": "ti_id subject body responded_at responded_by chosen_options params_input",
    "airflow.models.log.Log": "dag_id dttm event extra owner_display_name",
    "airflow.models.taskinstance.TaskInstance":
        "id dag_id run_id task_id state try_number start_date end_date trigger_timeout next_kwargs operator updated_at "
        "queued_dttm last_heartbeat_at",
    "airflow.models.xcom.XComModel": "dag_id run_id task_id key value timestamp",
}  # fmt: skip


@pytest.mark.parametrize("model", USED)
def test_each_model_has_the_columns_that_the_page_reads(model: str) -> None:
    from importlib import import_module

    from sqlalchemy import select

    module, _, name = model.rpartition(".")
    for column in USED[model].split():
        assert str(select(getattr(getattr(import_module(module), name), column)))


def test_all_that_is_read_of_models_is_in_two_modules() -> None:
    plugin = Path(queries.__file__).parent
    files = [Path(stored_dags.__file__), *plugin.glob("*.py")]
    importing = {file.name for file in files if "from airflow.models" in file.read_text()}
    assert importing == {"stored_dags.py", "queries.py"}
