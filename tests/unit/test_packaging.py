"""The rules of the house: small functions, few modules at the root, rooms with a purpose, honest metadata."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "airflow-provider-instagram": ROOT / "airflow_provider_instagram",
    "instagram-sandbox": ROOT / "sandbox" / "instagram_sandbox",
}
MOST_LINES_OF_A_FUNCTION = 45
MOST_ROOT_MODULES = 6

#: Declared although no module imports them: what they are needed for.
NEEDED_WITHOUT_AN_IMPORT = {
    "airflow-provider-instagram": {"pillow-heif"},  # loaded by name, in the process that decodes a picture
    "instagram-sandbox": {
        "h11",  # uvicorn's class for this protocol, from which ours is derived
        "python-multipart",  # starlette reads forms with it
    },
}
#: Imported although not declared: why they are there.
THERE_WITHOUT_A_DECLARATION = {
    "airflow-provider-instagram": {
        "instagram-sandbox",  # the command line asks for it and says how to get it
        "openlineage-python",  # only OpenLineage asks for the facets
    },
    "instagram-sandbox": {
        "trustme",  # an extra: only the certificate of --tls needs it
        "pillow",  # an extra: only the colour profiles of pictures need it
        "pydantic-core",  # pydantic pins its one version
        "pytest",  # only pytest loads the plugin
    },
}


def test_the_package_tells_its_version() -> None:
    import airflow_provider_instagram

    (declared,) = re.findall(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert airflow_provider_instagram.__version__ == declared
    assert not hasattr(airflow_provider_instagram, "version")


def modules(package: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each module."""
    for file in sorted(package.rglob("*.py")):
        yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each function of a module, and the length of its body in lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.body[0].lineno + 1


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module defines, assigns, reads or passes."""
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg"):
            if isinstance(name := getattr(node, field, None), str):
                yield name


def imported_packages(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level packages that are imported when the code runs: not those for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        yield from imported_packages(node)


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_distributions(name: str) -> set[str]:
    """Return the distributions whose packages a distribution of ours imports; all of Airflow's count as one."""
    packages = {found for _, text in modules(PACKAGES[name]) for found in imported_packages(ast.parse(text))}
    owners = dict(packages_distributions()) | {package.name: [own] for own, package in PACKAGES.items()}
    foreign = packages - sys.stdlib_module_names - {PACKAGES[name].name}
    return {"apache-airflow" if package == "airflow" else normalized(owners[package][0]) for package in foreign}


def declared_distributions(name: str) -> set[str]:
    """Return the distributions that a distribution of ours always installs."""
    requirements = distribution(name).requires or []
    return {
        normalized(re.split(r"[^A-Za-z0-9._-]", requirement)[0])
        for requirement in requirements
        if "extra ==" not in requirement
    }


@pytest.mark.parametrize("name", PACKAGES)
def test_no_function_is_longer_than_45_lines(name: str) -> None:
    """A signature does not count: Airflow wants that of an operator to name each argument."""
    lengths = {
        f"{module} {function}": length
        for module, text in modules(PACKAGES[name])
        for function, length in functions(text)
    }
    assert {where: length for where, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


@pytest.mark.parametrize("name", PACKAGES)
def test_at_most_six_modules_stand_at_the_root(name: str) -> None:
    at_the_root = sorted(file.name for file in PACKAGES[name].glob("*.py"))
    assert len(at_the_root) <= MOST_ROOT_MODULES, at_the_root


@pytest.mark.parametrize("name", PACKAGES)
def test_each_room_says_what_belongs_in_it(name: str) -> None:
    rooms = {file.parent for file in PACKAGES[name].rglob("*.py")}
    silent = [
        str(room.relative_to(ROOT))
        for room in sorted(rooms)
        if not (room / "__init__.py").is_file()
        or not ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize("name", PACKAGES)
def test_each_distribution_declares_what_it_imports_and_nothing_else(name: str) -> None:
    imported = imported_distributions(name) - THERE_WITHOUT_A_DECLARATION[name]
    assert declared_distributions(name) - NEEDED_WITHOUT_AN_IMPORT[name] == imported


def test_both_distributions_have_one_version() -> None:
    provider, sandbox = (distribution(name).version for name in PACKAGES)
    assert provider == sandbox


def test_the_provider_brings_no_pytest_plugin_and_the_sandbox_nothing_for_airflow() -> None:
    groups = {name: {point.group for point in distribution(name).entry_points} for name in PACKAGES}
    assert groups == {
        "airflow-provider-instagram": {"airflow.plugins", "apache_airflow_provider"},
        "instagram-sandbox": {"console_scripts", "pytest11"},
    }


def test_each_extra_brings_what_it_is_named_for() -> None:
    extras = [each for each in distribution("airflow-provider-instagram").requires or [] if "extra ==" in each]
    assert {re.sub(r"[\s'\"]|>=[\d.]+", "", each) for each in extras} == {
        "apache-airflow-providers-common-sql;extra==sql",
        "instagram-sandbox;extra==sandbox",
    }


def test_the_guide_for_contributors_names_only_files_and_targets_that_exist() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    roots = (ROOT, *PACKAGES.values())
    named = re.findall(r"`([\w./-]+(?:\.py|\.md|\.toml|/))`", guide) + re.findall(r"\]\((docs/[^)#]+)\)", guide)
    assert len(named) > 20
    assert [path for path in named if path != "dist/" and not any((root / path).exists() for root in roots)] == []

    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", guide, re.MULTILINE)) <= targets


def test_the_recipes_for_contributors_name_only_what_the_code_has() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = guide.partition("## How to add …")[2].partition("## Conventions")[0]
    paths = r"[\w./-]+\.(?:py|md)"
    example = "test_[a-z_]+"  # how a test is named
    named = re.findall(rf"`(?!{paths}`|{example}`)([A-Za-z_][\w.]*)`", recipes)
    parts = {part for name in named for part in name.split(".")}
    assert {"About", "sent_as", "HARSHEST", "CalendarPost"} <= parts
    folders = [*PACKAGES.values(), ROOT / "tests" / "unit" / "graph"]  # the last one has the recipes' TABLE
    trees = [ast.parse(text) for folder in folders for _, text in modules(folder)]
    assert parts - {name for tree in trees for name in identifiers(tree)} - {*dir(builtins)} == set()


def test_a_packages_page_has_no_link_to_a_file_of_the_repository() -> None:
    from hatch_build import for_package_page

    assert for_package_page("![A](a.png)\n\n[B](docs/b.md), [C](https://example.com)") == "B, [C](https://example.com)"
    assert re.findall(r"\]\((?!https:)", for_package_page((ROOT / "README.md").read_text())) == []
