"""What Airflow is told of the provider: by its schema, and complete."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import airflow
import jsonschema
import pytest
import yaml
from airflow.sdk._shared.module_loading import import_string

from airflow_provider_instagram import operators
from airflow_provider_instagram.get_provider_info import get_provider_info
from airflow_provider_instagram.graph import API_VERSION
from airflow_provider_instagram.hooks import InstagramHook
from airflow_provider_instagram.hooks.instagram import Limits
from airflow_provider_instagram.ledger.assets import posts_asset
from airflow_provider_instagram.plugin import InstagramPlugin
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


def test_the_registry_names_what_is_public() -> None:
    registry = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
    info = get_provider_info()
    assert (registry["package-name"], registry["description"]) == (info["package-name"], info["description"])
    listed = [
        one["module"] for room in ("operators", "sensors", "hooks", "triggers", "other") for one in registry[room]
    ]
    public = [f"{PACKAGE}.operators.{name}" for name in operators.__all__]
    assert set(public) <= set(listed)
    assert [name for name in listed if not callable(import_string(name))] == []


def test_its_guides_and_its_logo_are_there() -> None:
    (integration,) = get_provider_info()["integrations"]
    assert [guide for guide in integration["how-to-guide"] if not (ROOT / guide.removeprefix("/")).is_file()] == []
    assert integration["logo"] in {view.get("icon") for view in InstagramPlugin.external_views}


def test_openlineage_knows_the_assets_of_an_account() -> None:
    (uris,) = get_provider_info()["asset-uris"]
    asset = import_string(uris["factory"])(conn_id="shop", name="posts")
    dataset = import_string(uris["to_openlineage_converter"])(asset, None)
    assert asset == posts_asset("shop")
    assert (dataset.namespace, dataset.name) == ("instagram://shop", "posts")


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
