"""Commands on files in object storage, whose connection is in Airflow's database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PREFIX = "s3://stored@shelf"
CALENDAR = """\
defaults: {timezone: Europe/Berlin, account: stored_berlin}
posts:
  - {id: monday, publish_at: 2030-03-30 18:00, video: reel.mp4}
"""


@pytest.fixture
def shelf(s3_server: str, airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket whose connection is in Airflow's database, and nowhere else."""
    import boto3
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)
    extra = {"endpoint_url": s3_server, "region_name": "us-east-1"}
    with create_session() as session:
        session.add(
            Connection(conn_id="stored", conn_type="aws", login="key", password="secret", extra=json.dumps(extra))
        )
    client = boto3.client("s3", **extra, aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket="shelf")
    yield client
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == "stored"))


@pytest.fixture
def shell(shelf: Any, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str]]:
    """Run a command of ours in this process; gives its exit code and what it prints."""
    from airflow.cli.cli_parser import get_parser

    def run(*words: str) -> tuple[Any, str]:
        args = get_parser().parse_args(["instagram", *words])
        code: Any = 0
        try:
            args.func(args)
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_calendar_is_read_with_its_stored_connection(shelf: Any, shell: Callable[..., tuple[Any, str]]) -> None:
    shelf.put_object(Bucket="shelf", Key="plans/spring.yaml", Body=CALENDAR.encode())
    shelf.put_object(Bucket="shelf", Key="plans/reel.mp4", Body=b"moving pictures")
    code, said = shell("calendar", "check", f"{PREFIX}/plans/spring.yaml")
    assert code == 0, said
    assert "1 post for stored_berlin; 0 problems." in said


def test_a_video_is_checked_with_its_stored_connection(
    shelf: Any, shell: Callable[..., tuple[Any, str]], portrait_video: Path, landscape_mov: Path
) -> None:
    """It is named as the user named it, and not as the copy that was looked at."""
    for name, file, expected in (("reel.mp4", portrait_video, 0), ("camera.mov", landscape_mov, 1)):
        shelf.put_object(Bucket="shelf", Key=f"raw/{name}", Body=file.read_bytes())
        code, said = shell("check", f"{PREFIX}/raw/{name}")
        assert code == expected, said
        assert f"{PREFIX}/raw/{name}" in said.splitlines()
    code, said = shell("check", f"{PREFIX}/raw/none.mp4")
    assert (code, f"The file {PREFIX}/raw/none.mp4 does not exist." in said) == (2, True)


def test_a_storage_that_cannot_be_opened_is_named(
    shell: Callable[..., tuple[Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says what to check; nobody reads a traceback."""
    unreachable = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": unreachable}
    monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", json.dumps(connection))
    code, said = shell("check", "s3://nowhere@shelf/raw/reel.mp4")
    assert code == 2
    assert said.splitlines()[-1].startswith("s3://nowhere@shelf/raw/reel.mp4 cannot be opened: EndpointConnectionError")
    assert said.splitlines()[-1].endswith("Check the path, its rights and its connection.")
