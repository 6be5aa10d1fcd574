"""What ``tokens.md`` says is so: examples run, and a token outlives the rotation of the key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.cli.cli_parser import get_parser
from cryptography.fernet import Fernet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/operate/tokens.md").read_text()
(ROTATION,) = re.findall(r"^ *(airflow rotate.*)$", TEXT, re.MULTILINE)
(TOLD,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


pytestmark = pytest.mark.usefixtures("no_stored_tokens")


def dag_of(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "tokens_md"}
    exec(compile(source, "tokens.md", "exec"), namespace)  # noqa: S102 -- our own examples
    return namespace["dag"]


def test_the_example_for_alerts_tells_the_team(
    instagram_sandbox: SandboxHandle, run_dag: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    instagram_sandbox.revoke(instagram_sandbox.token)
    assert run_dag(dag_of(TOLD)).state == "failed"
    assert "instagram_default: None days left. Cannot read the account" in capsys.readouterr().out


@pytest.fixture
def fernet_keys(monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Iterator[Any]:
    """Set the Fernet keys of Airflow, and in the end encrypt everything with the old one again."""
    from airflow.configuration import conf
    from airflow.models.crypto import get_fernet
    from airflow.models.trigger import Trigger

    # Other tests leave triggers in this database that no key has encrypted.
    mocker.patch.object(Trigger, "rotate_fernet_key", return_value=None)
    old = conf.get("core", "fernet_key")

    def use(*keys: str) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", ",".join(keys))
        get_fernet.cache_clear()

    new = Fernet.generate_key().decode()
    yield lambda *names: use(*({"NEW": new, "OLD": old}[name] for name in names))
    use(old, new)
    airflow(ROTATION)
    use(old)


def airflow(command: str) -> None:
    args = get_parser().parse_args(command.split()[1:])
    args.func(args)


def test_a_stored_token_outlives_the_rotation_of_the_fernet_key(
    instagram_sandbox: SandboxHandle, no_stored_tokens: None, fernet_keys: Any
) -> None:
    from airflow_provider_instagram.hooks import InstagramHook

    def store() -> Any:
        return InstagramHook("instagram_default").token_manager().store

    token = InstagramHook("instagram_default").token_manager().current_token()
    store().save(token)
    fernet_keys("NEW", "OLD")
    airflow(ROTATION)
    fernet_keys("NEW")
    assert store().load() == token
    fernet_keys("OLD")
    assert store().load() is None
