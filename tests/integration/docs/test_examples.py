"""Every code block of every page is executed, or at least parsed by what would read it."""

from __future__ import annotations

import configparser
import csv
import json
import os
import re
import shlex
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf

from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.get_provider_info import SETTINGS
from tests.integration.docs.pages import BLOCKS, PAGES, ROOT, Block, commands_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

#: Blocks of ``text`` show output. The others are directives of the site, which ``make docs`` reads.
NOT_CODE: Final = {"text", "{toctree}", "{eval-rst}", "{include}", "{literalinclude}"}
LANGUAGES: Final = {"python", "bash", "console", "yaml", "csv", "ini", "json", "javascript", "sql"}
#: Their files are run as a user would run them, in sandbox/tests/integration: test_documentation.py, test_recipes.py.
RUN_AS_FILES: Final = {"docs/testing/clients.md", "docs/testing/pytest.md", "docs/testing/recipes.md"}
TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(*languages: str) -> pytest.MarkDecorator:
    """Run a test once for each block in one of the languages."""
    found = [pytest.param(block, id=block.id) for block in BLOCKS if block.language in languages]
    assert found
    return pytest.mark.parametrize("block", found)


def test_every_block_has_a_language_that_is_checked() -> None:
    assert len(BLOCKS) > 80
    assert [block.id for block in BLOCKS if block.language.partition(" ")[0] not in LANGUAGES | NOT_CODE] == []


@blocks("python")
def test_python_is_executed(
    block: Block, instagram_sandbox: SandboxHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path))
    if block.page in RUN_AS_FILES:
        compile(block.code, block.id, "exec")
        return
    names = run(block, sandbox=instagram_sandbox)
    if dag := names.get("dag"):
        assert dag.tasks


def split_commands(script: str) -> Iterator[list[str]]:
    """Split a script into commands and their words. A text in quotes may have several lines."""
    begun = ""
    for line in script.replace("\\\n", " ").splitlines():
        begun += line + "\n"
        with suppress(ValueError):  # a quote is still open
            yield shlex.split(begun, comments=True)
            begun = ""


@blocks("bash", "console")
def test_the_shell_can_read_it_and_its_commands_exist(block: Block) -> None:
    script = commands_of(block)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for words in split_commands(script):
        match words:
            case ["airflow", *arguments]:
                get_parser().parse_args(arguments)
            case ["make", target, *_]:
                assert target in TARGETS
            case ["python" | ".venv/bin/python", "-m", module, *_]:
                path = ROOT / module.replace(".", "/")
                assert path.is_dir() or path.with_suffix(".py").exists() or module == "venv"


def test_the_command_that_removes_old_results_keeps_everything_else(tmp_path: Path) -> None:
    (command,) = (block.code for block in BLOCKS if block.page == "docs/operate/growth.md" and "find" in block.code)
    key, month_ago = "0123456789abcdef01234567", time.time() - 31 * 86_400
    old = [f"cut.mov.story_video.{key}.mp4", f"dawn.picture.{key}.jpg"]
    others = ["cut.mov", "cut.mp4", f"cut.reel.{key}.mov", f"cut.reel.{key[:-1]}.mp4", f"cut.reel.{key.upper()}.mp4"]
    for name in (*old, *others):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (month_ago, month_ago))
    new = tmp_path / f"new.mov.reel.{key}.mp4"
    new.touch()
    subprocess.run(["bash", "-c", command.replace("/data/videos", shlex.quote(str(tmp_path)))], check=True)
    assert {file.name for file in tmp_path.iterdir()} == {*others, new.name}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_that_a_sentence_names_exist(path: Path) -> None:
    for found in re.findall(r"`airflow instagram ([a-z][a-z -]*)[^`]*`", path.read_text()):
        words = found.split()
        known = {"calendar": 2, "ledger": 2}
        parser = get_parser()
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(["instagram", *words[: known.get(words[0], 1)], "--help"])
        assert ended.value.code == 0, found


@blocks("yaml")
def test_yaml_is_a_calendar_without_problems(block: Block) -> None:
    content = yaml.safe_load(block.code)
    if block.page in RUN_AS_FILES:
        return
    assert "posts" in content
    calendar = parse_calendar(block.code, "/data/example.yaml")
    assert calendar.problems == ()
    assert calendar.posts


@blocks("csv")
def test_csv_is_a_calendar_without_problems_or_a_sheet_to_import(block: Block) -> None:
    head, *rows = csv.reader(block.code.splitlines())
    assert rows
    assert {len(row) for row in rows} == {len(head)}
    if "publish_at" in head:
        assert parse_calendar(block.code, "/data/example.csv").problems == ()


@blocks("ini")
def test_settings_exist(block: Block) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(block.code)
    for section in parser.sections():
        known = SETTINGS if section == "instagram" else conf.configuration_description[section]
        assert set(parser[section]) <= set(known["options"])


@blocks("json")
def test_json_can_be_read(block: Block) -> None:
    assert json.loads(block.code)


def test_the_connections_of_the_three_logins_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_instagram.hooks import InstagramHook

    logins = []
    for block in BLOCKS:
        if (block.page, block.language) == ("docs/reference/connection.md", "json"):
            monkeypatch.setenv("AIRFLOW_CONN_EXAMPLE", block.code)
            settings = InstagramHook("example").settings
            logins.append((settings.login, settings.base_url.removeprefix("https://graph.")))
    assert logins == [("instagram", "instagram.com"), ("facebook", "facebook.com"), ("unified", "facebook.com")]


@blocks("javascript")
def test_javascript_can_be_read(block: Block, tmp_path: Path) -> None:
    (tmp_path / "example.mjs").write_text(block.code)
    checked = subprocess.run(["node", "--check", tmp_path / "example.mjs"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
