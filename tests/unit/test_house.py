"""The numbers that make lint prints are those of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import house
from scripts.house import House, Measure

if TYPE_CHECKING:
    from pathlib import Path

MODULES = {
    "house_of_a_test/__init__.py": '"""A package."""\n',
    "house_of_a_test/exceptions.py": "class Wrong(Exception):\n    '''One.\n\n    Three.\n    '''\n",
    "house_of_a_test/calendar/__init__.py": "",
    "house_of_a_test/calendar/task.py": (
        "from typing import TYPE_CHECKING\n"
        "from house_of_a_test.operators.post import Post\n"
        "if TYPE_CHECKING:\n    from house_of_a_test.exceptions import Wrong\n\n"
        "# A comment.\n"
        "post = Post(\n    1\n)  # fmt: skip\n"
    ),
    "house_of_a_test/operators/__init__.py": "",
    "house_of_a_test/operators/post.py": "import house_of_a_test.operators.sent\n",
    "house_of_a_test/operators/sent.py": "import house_of_a_test.operators.post\n",
    "house_of_a_test/static/one.js": 'import { two } from "./two.js";\n',
    "house_of_a_test/static/two.js": 'export { one } from "./one.js";\n',
    "house_of_a_test/static/three.js": 'import { one } from "./one.js";\n\n',
    "tests/test_post.py": "def test_it(): ...\n\n",
    "sandbox/instagram_sandbox/world.py": "pass\n",
    "sandbox/tests/test_world.py": "pass\npass\n",
}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return House(tmp_path / "house_of_a_test")


def test_each_number_is_that_of_the_package(built: House) -> None:
    counted = {measure.name: measure.count(built) for measure in house.MEASURES}
    assert counted["modules"] == 4
    assert counted["arrows between rooms"] == 2, "with the one for type checkers"
    assert counted["modules in circles"] == 2
    assert counted["scripts in circles"] == 2
    assert counted["lines of the page's scripts"] == 4
    assert counted["places without the formatter"] == 1
    assert counted["nodes of the sandbox"] == 2
    assert counted["lines of tests"] == 2
    assert counted["lines of the sandbox's tests"] == 2


def test_docstrings_comments_and_blank_lines_are_no_lines_of_code() -> None:
    text = '"""A module."""\n\n# Why.\ndef one():\n    """Say it."""\n    return (\n        1\n    )\n'
    assert house._lines_of_code(text) == {4, 6, 7, 8}


def test_nodes_are_those_of_pythons_grammar() -> None:
    """A module, an expression statement, a call, a name with its context, and a constant."""
    assert house._nodes("print(1)\n") == 6


@pytest.mark.parametrize(("limit", "result"), [(100_000, 0), (3, 1)])
def test_a_number_above_its_limit_fails(limit: int, result: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "MEASURES", [Measure("modules", House.module_count, limit, 10)])
    assert house.main() == result
