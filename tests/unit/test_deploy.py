"""The examples in deploy/ and the pages about deployment: what can be checked of them without Docker and Kubernetes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.configuration import conf
from airflow.jobs import scheduler_job_runner
from cryptography.fernet import Fernet

from airflow_provider_instagram.get_provider_info import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGES = ("deployment", "workers", "kubernetes", "outages", "monitoring", "tokens", "storage", "limits", "growth")
GUIDE = "".join((ROOT / "docs/operate" / f"{name}.md").read_text() for name in PAGES)
#: Of the Celery provider, whose settings Airflow itself does not list.
CELERY = {"broker_url", "result_backend"}
#: The scheduler reads it, and Airflow's list of settings lacks it.
UNLISTED = ("scheduler", "num_stuck_in_queued_retries")


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def settings_in(name: str) -> Iterator[tuple[str, str]]:
    """Read the settings of Airflow in a file, as sections and names."""
    for section, option in re.findall(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", (DEPLOY / name).read_text()):
        yield section.lower(), option.lower()
    if name == "values.yaml":
        for section, options in read(name)["config"].items():
            yield from ((section, option) for option in options)


def is_known(section: str, option: str) -> bool:
    if section == "instagram":
        return option in get_provider_info()["config"]["instagram"]["options"]
    if section == "celery":
        return option in CELERY
    if (section, option) == UNLISTED:
        return UNLISTED[1] in Path(scheduler_job_runner.__file__).read_text()
    return option in conf.configuration_description.get(section, {}).get("options", {})


@pytest.mark.parametrize("name", ["compose.yaml", "values.yaml", "pod-template.yaml"])
def test_every_setting_exists(name: str) -> None:
    found = set(settings_in(name))
    assert ("instagram", "work_prefix") in found
    assert [setting for setting in found if not is_known(*setting)] == []


@pytest.mark.parametrize("name", ["compose.yaml", "values.yaml", "pod-template.yaml"])
def test_the_connections_that_locations_name_are_defined(name: str) -> None:
    text = (DEPLOY / name).read_text()
    named = set(re.findall(r"s3://(\w+)@", text))
    assert named == {"media"}
    assert named == {conn_id.lower() for conn_id in re.findall(r"(?:name: |envName: |\s)AIRFLOW_CONN_(\w+)", text)}


def schema_errors(program: str, *arguments: str | Path) -> str:
    """Run a validator of the environment and return what it says, or an empty text if the document is valid."""
    command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_guide_writes_the_environment_that_the_compose_file_asks_for(tmp_path: Path) -> None:
    (script,) = [code for code in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL) if "deploy/.env" in code]
    (tmp_path / "deploy").mkdir()
    written = script[script.index("cat >") : script.index("docker compose")]
    subprocess.run(["bash", "-eu", "-c", written], cwd=tmp_path, check=True)
    lines = dict(line.split("=", 1) for line in (tmp_path / "deploy/.env").read_text().splitlines())
    assert set(lines) == set(re.findall(r"\$\{(\w+):\?\}", (DEPLOY / "compose.yaml").read_text()))
    Fernet(lines["AIRFLOW_FERNET_KEY"])
    assert json.loads(lines["AIRFLOW_CONN_MEDIA"].strip("'"))["conn_type"] == "aws"


def test_somebody_can_log_in_at_an_address_that_is_known() -> None:
    compose, values = read("compose.yaml")["x-airflow"]["environment"], read("values.yaml")
    assert compose["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].startswith("admin:admin,")
    assert compose["AIRFLOW__API__BASE_URL"].endswith(":-http://localhost:8080}")
    assert values["createUserJob"]["defaultUser"]["username"] == "admin"
    assert values["config"]["api"]["base_url"].startswith("https://")


def test_the_images_are_built_from_the_wheels_alone() -> None:
    """Without this, a build sends the environments of the checkout to Docker, and the file with the secrets."""
    assert (ROOT / ".dockerignore").read_text() == "*\n!dist/*.whl\n"
    for name in ("Dockerfile", "sandbox.Dockerfile"):
        copied = re.findall(r"^COPY (\S+)", (DEPLOY / name).read_text(), re.MULTILINE)
        assert [re.fullmatch(r"dist/\w+-\*\.whl", path) is not None for path in copied] == [True]
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_compose_file_follows_the_published_schema(tmp_path: Path) -> None:
    validate = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    assert schema_errors(*validate, DEPLOY / "compose.yaml") == ""
    (wrong := tmp_path / "compose.yaml").write_text("services: {worker: {imag: airflow}}")
    assert "imag" in schema_errors(*validate, wrong)


@pytest.mark.parametrize(
    ("begins", "schema"),
    [("services:", "vendor.compose-spec"), ("name: tests", "vendor.github-workflows"), ("tests:", "vendor.gitlab-ci")],
)
def test_the_recipes_for_the_sandbox_follow_the_published_schemas(begins: str, schema: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/testing/recipes.md").read_text(), re.DOTALL)
    (recipe,) = [block for block in blocks if block.startswith(begins)]
    (file := tmp_path / "recipe.yaml").write_text(recipe)
    assert schema_errors("check-jsonschema", "--builtin-schema", schema, file) == ""


def test_the_pods_follow_the_published_schema(tmp_path: Path) -> None:
    """Of the chart's values, what becomes part of a worker's pod as it is."""
    worker, pod = read("values.yaml")["workers"], read("pod-template.yaml")
    (container,) = pod["spec"]["containers"]
    container |= {"env": worker["env"], "volumeMounts": worker["extraVolumeMounts"], "resources": worker["resources"]}
    pod["spec"]["volumes"] = worker["extraVolumes"]
    (from_values := tmp_path / "values.yaml").write_text(yaml.safe_dump(pod))
    pod["spec"]["containers"][0]["imag"] = "airflow"
    (wrong := tmp_path / "wrong.yaml").write_text(yaml.safe_dump(pod))
    validate = ("kubernetes-validate", "--strict")
    assert schema_errors(*validate, DEPLOY / "pod-template.yaml") == ""
    assert schema_errors(*validate, from_values) == ""
    assert "imag" in schema_errors(*validate, wrong)


def test_every_setting_that_the_guide_names_exists() -> None:
    named = re.findall(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)=", GUIDE)
    named += re.findall(r"`\[(\w+)\] (\w+)", GUIDE)
    assert len(named) > 15
    assert [setting for setting in named if not is_known(*(part.lower() for part in setting))] == []


def test_a_component_of_each_kind_is_in_the_compose_file() -> None:
    services = read("compose.yaml")["services"]
    commands = {" ".join(service.get("command", ())[:2]) for service in services.values()}
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "celery worker", "db migrate"} <= commands
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            assert needed in services, f"{name} waits for {needed}"
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0] if isinstance(volume, str) else None
            assert source is None or source.startswith("..") or source in read("compose.yaml")["volumes"]


def test_transcoding_has_a_queue_a_disk_and_time_to_end() -> None:
    worker = read("compose.yaml")["services"]["worker-transcode"]
    assert worker["command"][:4] == ["celery", "worker", "--queues", "transcode"]
    scratch = worker["environment"]["TMPDIR"]
    assert scratch in [volume["target"] for volume in worker["volumes"] if isinstance(volume, dict)]
    assert worker["stop_grace_period"] == "10m"


@pytest.mark.parametrize(
    ("name", "mounts"), [("values.yaml", "extraVolumeMounts"), ("pod-template.yaml", "volumeMounts")]
)
def test_copies_have_a_volume_of_their_own(name: str, mounts: str) -> None:
    document = read(name)
    worker = document["workers"] if name == "values.yaml" else document["spec"]["containers"][0]
    volumes = worker["extraVolumes"] if name == "values.yaml" else document["spec"]["volumes"]
    (scratch,) = [each["value"] for each in worker["env"] if each["name"] == "TMPDIR"]
    (volume,) = [each["name"] for each in worker[mounts] if each["mountPath"] == scratch]
    assert "sizeLimit" in next(each for each in volumes if each["name"] == volume)["emptyDir"]


def test_the_transcodes_of_a_calendar_get_a_queue_as_the_guide_says(tmp_path: Path) -> None:
    """As the scheduler sees them: in the stored DAG."""
    from airflow.serialization.serialized_objects import DagSerialization

    (calendar := tmp_path / "spring.yaml").write_text(
        "posts:\n- {id: a, publish_at: 2099-01-01 12:00 UTC, account: instagram_studio, video: https://example.com/a.mp4}\n"
    )
    (example,) = [
        code for code in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if 'queue = "transcode"' in code
    ]
    names: dict[str, Any] = {}
    exec(example.replace("s3://media@bucket/calendars/spring.yaml", str(calendar)), names)  # noqa: S102
    stored = DagSerialization.from_dict(DagSerialization.to_dict(names["dag"]))
    queues = {task.task_id: task.queue for task in stored.tasks}
    assert queues.pop("prepare") == "transcode"
    assert set(queues.values()) == {"default"}


def test_the_image_has_ffmpeg_and_is_installed_by_constraints() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {step[0] for step in steps} <= {"ARG", "COPY", "FROM", "USER", "RUN"}
    (copied,) = [value for step, value in steps if step == "COPY"]
    assert copied.startswith("dist/airflow_provider_instagram-"), "the wheel is not on an index"
    users = [value for step, value in steps if step == "USER"]
    assert users == ["root", "airflow"], "the image does not run as root"
    assert any("apt-get install" in value and " ffmpeg " in value for _, value in steps)
    assert any("pip install" in value and "--constraint" in value and "s3fs" in value for _, value in steps)


def test_the_dashboard_asks_for_each_metric_that_is_sent_and_no_other() -> None:
    documented = re.findall(
        r"^\| `instagram\.(\w+)` \|", (ROOT / "docs/operate/monitoring.md").read_text(), re.MULTILINE
    )
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    asked = [re.findall(r"airflow_instagram_(\w+)\{", panel["targets"][0]["expr"]) for panel in panels]
    assert sorted(name for names in asked for name in names) == sorted(documented)
