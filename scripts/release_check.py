"""``make release-check``: build both distributions, install them in empty environments, and run the main job from them.

1. Build an sdist of each distribution, and its wheel from the sdist, into ``dist/``, and the same
   again from a copy of what git holds: every byte has to be the same.
2. Check what the wheels contain: files, entry points, metadata, README.
3. Install the sandbox alone, without Airflow, and publish a reel on it over HTTP.
4. Install the provider alone: Airflow lists it and its example DAGs, and its command says how to get the sandbox.
5. Write down what came with each, with versions and licenses (CycloneDX), into ``dist/sbom/``.
6. Add the sandbox as the provider's extra, and run ``make demo`` on the installed packages.
7. Install both with each other Python from 3.10 to 3.13 that the machine has, also pyenv's, and
   import what is public.

The versions and hashes of everything else are those of ``requirements/dev.txt``, and for step 5
``requirements/sbom.txt``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from markdown_it import MarkdownIt
from packaging.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"
UV: Final = ROOT / ".tools" / "bin" / "uv"
PROVIDER: Final = "airflow-provider-instagram"
SANDBOX: Final = "instagram-sandbox"
ENTRY_POINTS: Final = {
    PROVIDER: {"airflow.plugins", "apache_airflow_provider"},
    SANDBOX: {"console_scripts", "pytest11"},
}
SANDBOX_LIMIT_MB: Final = 80
USER_ID: Final = "17841400000000001"
TOKEN: Final = "IGAAsandboxStudioLongLivedToken00000000000000"  # noqa: S105 -- the sandbox's own, documented
READY: Final = "Instagram sandbox on "
PUBLIC: Final = """
from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.hooks import InstagramHook
from airflow_provider_instagram.operators import *
from airflow_provider_instagram.sensors import *
from airflow_provider_instagram.triggers import *
"""
#: Prints the ids of the DAGs that Airflow finds in its bundles of examples, and why others cannot be imported.
EXAMPLES: Final = """
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag
(bundle,) = [one for one in DagBundlesManager().get_all_dag_bundles() if "instagram" in one.name]
found = DagBag(bundle.path, bundle_path=bundle.path)
print(sorted(found.dags), found.import_errors)
"""


@dataclass(frozen=True)
class Wheel:
    """A wheel that was built.

    :param name: The distribution's name.
    :param path: The file.
    """

    name: str
    path: Path

    @property
    def package(self) -> str:
        """The package that the wheel installs."""
        return self.name.replace("-", "_")

    def requirement(self, extra: str = "") -> str:
        """Return the line of a requirements file that installs this file."""
        sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return f"{self.name}{extra} @ {self.path.as_uri()} --hash=sha256:{sha256}"


@dataclass(frozen=True)
class Environment:
    """A virtual environment outside of the checkout, and a folder to run its programs in.

    :param folder: Where it is.
    :param interpreter: The Python that it is made with.
    """

    folder: Path
    interpreter: str | Path = sys.executable

    def install(self, *requirements: str) -> None:
        """Install distributions with the pinned versions of all that they need, and check every hash."""
        if not self.folder.exists():
            run(UV, "venv", "--quiet", "--python", self.interpreter, self.folder)
        wanted = self.folder / "requirements.txt"
        wanted.write_text("\n".join(requirements))
        pins = ("--require-hashes", "--constraint", ROOT / "requirements/dev.txt")
        run(
            UV,
            "pip",
            "install",
            "--quiet",
            "--python",
            self.program("python"),
            *pins,
            "--requirement",
            wanted,
        )

    def program(self, name: str) -> Path:
        """Return the path of a program of the environment."""
        return self.folder / "bin" / name

    def run(self, name: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in a folder without our sources, with Airflow's defaults."""
        return subprocess.run(
            [self.program(name), *args],
            cwd=self.folder,
            env={"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def python(self, program: str) -> str:
        """Run lines of Python in the environment and return what they print."""
        done = self.run("python", "-c", program)
        expect(done.returncode == 0, f"{program!r} failed: {done.stderr}")
        return done.stdout.strip()

    def size_mb(self) -> float:
        """Return how much disk the installed packages take."""
        return (
            sum(file.stat().st_size for file in self.folder.glob("lib/**/*") if file.is_file())
            / 1e6
        )


def main() -> int:
    """Check everything that is released.

    :return: The exit code: 0 if both distributions can be released.
    """
    started_s = time.monotonic()
    provider, sandbox = build(ROOT, DIST)
    check_reproducible()
    check_wheel(provider)
    check_wheel(sandbox)
    version, other = (metadata(wheel).version for wheel in (provider, sandbox))
    expect(version == other, f"The versions differ: {version} and {other}")
    with tempfile.TemporaryDirectory(prefix="release-check-") as folder:
        alone, together = (
            Environment(Path(folder) / "sandbox"),
            Environment(Path(folder) / "provider"),
        )
        cyclonedx = install_cyclonedx(Path(folder) / "cyclonedx")
        check_sandbox_alone(alone, sandbox)
        write_sbom(cyclonedx, alone, sandbox)
        check_provider_alone(together, provider)
        write_sbom(cyclonedx, together, provider)
        check_main_job(together, provider, sandbox)
        for python, interpreter in other_pythons():
            check_python(Environment(Path(folder) / python, interpreter), python, provider, sandbox)
    print(
        f"\n{version} can be released: the files are in {DIST}. {time.monotonic() - started_s:.0f} s."
    )
    return 0


def build(checkout: Path, to: Path) -> tuple[Wheel, Wheel]:
    """Build both distributions of a checkout: an sdist each, and the wheel from the sdist."""
    shutil.rmtree(to, ignore_errors=True)
    for source in (checkout, checkout / "sandbox"):
        here = ("--no-build-isolation", "--python", sys.executable, "--no-create-gitignore")
        run(UV, "build", "--quiet", *here, "--out-dir", to, source)
    wheels = []
    for name in (PROVIDER, SANDBOX):
        (wheel,) = to.glob(f"{name.replace('-', '_')}-*.whl")
        wheels.append(Wheel(name, wheel))
    report("built", ", ".join(sorted(file.name for file in to.iterdir())))
    return wheels[0], wheels[1]


def check_reproducible() -> None:
    """Check that a copy of what git holds, in another folder, gives the same bytes."""
    held = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with (
        tempfile.TemporaryDirectory(prefix="release-check-") as folder,
        tarfile.open(fileobj=io.BytesIO(held)) as files,
    ):
        files.extractall(folder, filter="data")
        build(Path(folder), Path(folder) / "dist")
        here, there = (
            {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in where.iterdir()}
            for where in (DIST, Path(folder) / "dist")
        )
    different = sorted(
        name for name in here.keys() | there.keys() if here.get(name) != there.get(name)
    )
    expect(
        not different,
        f"A copy of the last commit gives other bytes (is everything committed?): {different}",
    )
    for name, sha256 in sorted(here.items()):
        report("sha256", f"{sha256}  {name}")


def metadata(wheel: Wheel) -> Metadata:
    """Return a wheel's metadata, which raises an error for every field that breaks the standard."""
    return Metadata.from_email(_read(wheel, "METADATA"), validate=True)


def check_wheel(wheel: Wheel) -> None:
    """Check a wheel's files, entry points, metadata and README."""
    with zipfile.ZipFile(wheel.path) as archive:
        folders = {name.split("/")[0] for name in archive.namelist()}
    expect(
        {name for name in folders if not name.endswith(".dist-info")} == {wheel.package},
        f"It contains {folders}",
    )

    groups = ConfigParser()
    groups.read_string(_read(wheel, "entry_points.txt"))
    expect(
        set(groups.sections()) == ENTRY_POINTS[wheel.name],
        f"Its entry points are {groups.sections()}",
    )

    fields = metadata(wheel)
    needs = {
        requirement.name for requirement in fields.requires_dist or () if requirement.marker is None
    }
    expect((wheel.name == PROVIDER) == ("apache-airflow" in needs), f"It needs {needs}")
    expect(SANDBOX not in needs, f"It needs {needs}")
    expect(bool(fields.license_files), "It has no license")
    page = MarkdownIt("commonmark").enable("table").render(fields.description or "")
    expect(f"<h1>{wheel.name}</h1>" in page, f"The README does not render: {page[:200]}")
    broken = re.findall(r'(?:href|src)="(?!https:)[^"]*"', page)
    expect(not broken, f"Links of the README lead nowhere on a package's page: {broken}")
    report(
        wheel.name,
        f"{wheel.path.stat().st_size / 1e3:.0f} kB, metadata {fields.metadata_version}, README renders",
    )


def check_sandbox_alone(environment: Environment, sandbox: Wheel) -> None:
    """Check that the sandbox installs and works without Airflow."""
    environment.install(sandbox.requirement())
    size_mb = environment.size_mb()
    expect(size_mb < SANDBOX_LIMIT_MB, f"The sandbox takes {size_mb:.0f} MB")
    found = environment.python(
        "from importlib.util import find_spec; print(find_spec('airflow'), find_spec('pytest'))"
    )
    expect(found == "None None", f"Airflow or pytest came with the sandbox: {found}")
    with running_sandbox(environment) as url:
        permalink = publish_reel(url, environment.folder)
    report("alone", f"{SANDBOX} takes {size_mb:.0f} MB and published {permalink}")


@contextmanager
def running_sandbox(environment: Environment) -> Iterator[str]:
    """Run the command ``instagram-sandbox`` and yield its URL."""
    at_once = ("--processing-time", "0", "--visible-after", "0", "--new-ids-unknown", "0")
    command = [str(environment.program(SANDBOX)), "--port", "0", *at_once]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            expect(line.startswith(READY), f"The sandbox did not start: {line!r}")
            yield line.removeprefix(READY).strip()
        finally:
            process.terminate()


def publish_reel(url: str, folder: Path) -> str:
    """Publish a reel with plain HTTP requests, as Meta's documentation describes them.

    :param url: The sandbox.
    :param folder: Where to make the video.
    :return: The permalink, which answers with a page.
    """
    video = folder / "reel.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=360x640:rate=30:duration=4")
    flat = ("-bf", "0", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-use_editlist", "0")
    run("ffmpeg", "-v", "error", *picture, *flat, video)
    with httpx.Client(
        base_url=f"{url}/v27.0", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
    ) as http:

        def call(method: str, path: str, **request: Any) -> dict[str, Any]:
            answer = http.request(method, path, **request)
            expect(answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}")
            return dict(answer.json())

        made = call(
            "POST", f"/{USER_ID}/media", data={"media_type": "REELS", "upload_type": "resumable"}
        )
        upload = {
            "Authorization": f"OAuth {TOKEN}",
            "offset": "0",
            "file_size": str(video.stat().st_size),
        }
        call("POST", made["uri"], headers=upload, content=video.read_bytes())
        deadline_s = time.monotonic() + 60
        while (state := call("GET", f"/{made['id']}?fields=status_code,status"))[
            "status_code"
        ] != "FINISHED":
            expect(
                state["status_code"] == "IN_PROGRESS" and time.monotonic() < deadline_s,
                f"The container: {state}",
            )
            time.sleep(0.5)
        post = call("POST", f"/{USER_ID}/media_publish", data={"creation_id": made["id"]})
        permalink = str(call("GET", f"/{post['id']}?fields=permalink")["permalink"])
        expect(http.get(permalink).is_success, f"{permalink} does not answer")
    return permalink


def check_provider_alone(environment: Environment, provider: Wheel) -> None:
    """Check that the provider works without the sandbox, and says how to get it."""
    environment.install(provider.requirement())
    found = environment.python(
        "from importlib.util import find_spec; print(find_spec('instagram_sandbox'))"
    )
    expect(found == "None", f"The sandbox came with the provider: {found}")
    environment.python(PUBLIC)
    listed = environment.run("airflow", "providers", "list", "--output", "plain")
    expect(
        PROVIDER in listed.stdout,
        f"Airflow does not list the provider: {listed.stdout} {listed.stderr}",
    )
    examples = environment.python(EXAMPLES)
    expect("'publish_reel'" in examples and examples.endswith(" {}"), f"Its examples: {examples}")
    refused = environment.run("airflow", "instagram", "sandbox")
    expect(
        refused.returncode == 2,
        f"`airflow instagram sandbox` ended with {refused.returncode}: {refused.stderr}",
    )
    expect("pip install ./sandbox" in refused.stderr, f"It does not say how: {refused.stderr}")
    report(
        "alone",
        f"{PROVIDER} and its examples are listed by Airflow, and `airflow instagram sandbox` says how to install it",
    )


def install_cyclonedx(folder: Path) -> Path:
    """Install CycloneDX in an environment of its own, because what it brings slows the import of Airflow.

    :param folder: Where to make the environment.
    :return: The program.
    """
    python = folder / "bin" / "python"
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    pins = ("--require-hashes", "--requirement", ROOT / "requirements/sbom.txt")
    run(UV, "pip", "install", "--quiet", "--python", python, *pins)
    return folder / "bin" / "cyclonedx-py"


def write_sbom(cyclonedx: Path, environment: Environment, wheel: Wheel) -> None:
    """Write what an environment consists of into ``dist/sbom/``, and check that each part names its license."""
    file = DIST / "sbom" / f"{wheel.path.stem}.cdx.json"
    file.parent.mkdir(exist_ok=True)
    python = environment.program("python")
    run(cyclonedx, "environment", "--output-reproducible", "--output-file", file, python)
    parts = {part["name"]: part for part in json.loads(file.read_text())["components"]}
    without = sorted(name for name, part in parts.items() if not part.get("licenses"))
    expect(wheel.name in parts, f"{file} does not name {wheel.name}")
    report(
        "sbom",
        f"{file.name}: {len(parts)} parts, without a license in their metadata: {', '.join(without) or '-'}",
    )


def check_main_job(environment: Environment, provider: Wheel, sandbox: Wheel) -> None:
    """Add the sandbox as the provider's extra, and run the demonstration away from the checkout."""
    environment.install(provider.requirement("[sandbox]"), sandbox.requirement())
    for folder in ("demo", "dags"):
        shutil.copytree(
            ROOT / folder, environment.folder / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    places = environment.python(
        "import airflow_provider_instagram as a, instagram_sandbox as s; print(a.__file__, s.__file__)"
    )
    expect(
        places.count("site-packages") == 2,
        f"The job would not run from the wheels but from {places}",
    )
    done = environment.run("python", "-m", "demo.run")
    print(done.stdout.strip())
    expect(done.returncode == 0, f"The main job failed: {done.stderr}")


def other_pythons() -> Iterator[tuple[str, Path]]:
    """Yield the version and the path of each other Python that the provider supports and the machine has."""
    for version in ("3.10", "3.11", "3.12", "3.13"):
        names = [found for found in [shutil.which(f"python{version}")] if found]
        names += sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
        for name in names:
            said = subprocess.run(
                [name, "--version"], capture_output=True, text=True, check=False
            ).stdout
            if said.startswith(f"Python {version}.") and version != ".".join(
                map(str, sys.version_info[:2])
            ):
                yield version, Path(name)
                break


def check_python(environment: Environment, version: str, provider: Wheel, sandbox: Wheel) -> None:
    """Check that both wheels install with a Python, and that what is public can be imported."""
    environment.install(provider.requirement("[sandbox]"), sandbox.requirement())
    environment.python(f"{PUBLIC}\nimport instagram_sandbox.testing.handle")
    listed = environment.run("airflow", "providers", "list", "--output", "plain")
    expect(
        PROVIDER in listed.stdout,
        f"Airflow does not list the provider: {listed.stdout} {listed.stderr}",
    )
    report(f"Python {version}", "both wheels install, and what is public can be imported")


def run(*command: str | Path) -> None:
    """Run a command, and end this program if it fails."""
    expect(
        subprocess.run(command, check=False, cwd=ROOT).returncode == 0,
        f"Failed: {' '.join(map(str, command))}",
    )


def expect(holds: bool, otherwise: str) -> None:
    """End this program with a message unless a condition holds."""
    if not holds:
        raise SystemExit(f"Not ready for release. {otherwise}")


def report(what: str, found: str) -> None:
    """Print a result."""
    print(f"{what:<28}{found}", flush=True)


def _read(wheel: Wheel, name: str) -> str:
    with zipfile.ZipFile(wheel.path) as archive:
        (entry,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return archive.read(entry).decode()


if __name__ == "__main__":
    sys.exit(main())
