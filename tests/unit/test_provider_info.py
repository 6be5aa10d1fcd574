"""What Airflow is told of the provider: by its schema, and complete."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_provider_instagram.get_provider_info import get_provider_info
from airflow_provider_instagram.graph import API_VERSION
from airflow_provider_instagram.hooks import InstagramHook
from airflow_provider_instagram.hooks.instagram import Limits
from airflow_provider_instagram.posts.kinds import PostKind

PACKAGE = "airflow_provider_instagram"
ROOT = Path(__file__).parents[2]


def test_it_has_the_form_that_airflow_reads() -> None:
    schema = json.loads(Path(airflow.__file__).with_name("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


@pytest.mark.parametrize("room", ["operators", "sensors", "triggers", "hooks"])
def test_it_lists_the_modules_of_each_public_class(room: str) -> None:
    package = import_module(f"{PACKAGE}.{room}")
    public = {getattr(package, name).__module__ for name in package.__all__}
    ((integration, modules),) = [(one["integration-name"], one["python-modules"]) for one in get_provider_info()[room]]
    assert set(modules) == public
    assert [integration] == [one["integration-name"] for one in get_provider_info()["integrations"]]


def test_its_defaults_are_those_of_the_hook() -> None:
    (connection,) = get_provider_info()["connection-types"]
    defaults = {name: field["schema"].get("default") for name, field in connection["conn-fields"].items()}
    limits = {name: default for name, default in defaults.items() if name.startswith(("calls", "posts"))}
    assert connection["connection-type"] == InstagramHook.conn_type
    assert (defaults["api_version"], limits) == (API_VERSION, asdict(Limits()))


def test_it_names_all_formats() -> None:
    plurals = {name: "stories" if name == "story" else f"{name}s" for name in PostKind}
    assert [name for name, word in plurals.items() if word not in get_provider_info()["description"]] == []


@pytest.mark.parametrize("project", ["pyproject.toml", "sandbox/pyproject.toml"])
def test_the_newest_python_is_airflows_decision(project: str) -> None:
    (line,) = [one for one in (ROOT / project).read_text().splitlines() if one.startswith("requires-python")]
    assert "<" not in line
