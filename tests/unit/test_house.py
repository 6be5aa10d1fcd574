"""The numbers that make lint prints are those of the package."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from scripts import house
from scripts.house import House, Measure

if TYPE_CHECKING:
    from pathlib import Path

MODULES = {
    "__init__.py": '"""A package."""\n',
    "exceptions.py": "class Wrong(Exception):\n    '''One.\n\n    Three.\n    '''\n",
    "operators/__init__.py": '__all__ = ["PostOperator"]\n',
    "operators/post.py": "from rooms_of_a_test.exceptions import Wrong\n\nclass PostOperator: ...\n",
    "calendar/__init__.py": "",
    "calendar/tasks/__init__.py": "",
    "calendar/tasks/post.py": (
        "from typing import TYPE_CHECKING\n"
        "from rooms_of_a_test.operators.post import PostOperator\n"
        "if TYPE_CHECKING:\n    from rooms_of_a_test.exceptions import Wrong\n\n"
        "class PostTask(PostOperator):\n    def run(self): setattr(self, 'ran', True)\n"
    ),
    "calendar/kinds.py": (
        "from enum import Enum\n\n"
        "class Kind(Enum):\n    REEL = 'reel'\n    STORY = 'story'\n\n"
        "PLACES = {'reels': 1, 'story': 2}\nONE = 'reel'\n"
    ),
}


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    package = tmp_path / "rooms_of_a_test"
    for name, text in MODULES.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_post.py").write_text("def test_it(): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return House(package)


def test_each_number_is_that_of_the_package(rooms: House) -> None:
    assert {measure.name: measure.count(rooms) for measure in house.MEASURES} == {
        "lines of Python": 25,
        "lines of the calendar": 15,
        "lines of the plugin": 0,
        "lines of the sandbox": 0,
        "lines of tests": 1,
        "modules": 4,
        "rooms": 3,
        "floors": 3,
        "arrows": 3,  # with the one for type checkers
        "rooms in circles": 0,
        "lines of docstrings": 5,
        "setattr in operators and calendars": 1,
        "calendar tasks that are public operators": 1,
        "places that list the kinds of posts": 2,
    }


def test_rooms_that_import_each_other_are_a_circle_without_a_top_floor(rooms: House) -> None:
    (rooms.folder / "exceptions.py").write_text("from rooms_of_a_test.calendar import kinds\n")
    assert rooms.circles() == 3
    assert rooms.floors() == sys.maxsize


@pytest.mark.parametrize(("limit", "result"), [(100_000, 0), (100, 1)])
def test_a_number_above_its_limit_fails(limit: int, result: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "MEASURES", [Measure("lines of Python", House.lines, limit, 10)])
    assert house.main() == result
