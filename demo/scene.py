"""What a demonstration needs: a source video, and an Airflow that knows our DAGs."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".demo"
VIDEOS = FOLDER / "videos"
CAPTION = "Sent by Apache Airflow, straight from a landscape MOV #airflow #reels"


def source_video() -> Path:
    """Return the video to publish: the one that VIDEO names, or 8 s of landscape MOV with sound, made once."""
    FOLDER.mkdir(exist_ok=True)
    if chosen := os.environ.get("VIDEO"):
        video = Path(chosen).resolve()
        if not video.is_file():
            raise SystemExit(f"VIDEO={chosen}: there is no such file.")
        return video
    VIDEOS.mkdir(parents=True, exist_ok=True)
    video = VIDEOS / "camera.mov"
    if not video.exists():
        part = VIDEOS / "camera.part.mov"
        picture = "testsrc2=size=1920x1080:rate=30:duration=8"
        sound = "sine=frequency=330:beep_factor=4:sample_rate=48000:duration=8"
        source = f"-f lavfi -i {picture} -f lavfi -i {sound}"
        encode = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a pcm_s16le"
        command = f"ffmpeg -v error -y {source} {encode}"
        subprocess.run([*command.split(), str(part)], check=True)
        part.replace(video)
    return video


def pictures_of(video: Path, folder: Path) -> list[Path]:
    """Return two pictures, made once: a frame of a video, and a square part of a later one.

    :param video: The video.
    :param folder: The folder for the pictures.
    """
    made = []
    for name, filters in (
        ("still", "null"),
        ("detail", r"select=gte(n\,24),crop=min(iw\,ih):min(iw\,ih)"),
    ):
        picture, part = folder / f"{name}.jpg", folder / f"{name}.part.jpg"
        if not picture.exists():
            ffmpeg = ("ffmpeg", "-v", "error", "-y", "-i", str(video))
            subprocess.run(
                [*ffmpeg, "-vf", filters, "-frames:v", "1", "-q:v", "3", str(part)], check=True
            )
            part.replace(picture)
        made.append(picture)
    return made


def airflow_settings(home: Path, *media_roots: Path) -> dict[str, str]:
    """Return the environment of an Airflow with the example DAGs, on SQLite, that keeps its keys in its home.

    :param home: Its AIRFLOW_HOME. Created if it is missing.
    :param media_roots: Folders that runs may read videos from.
    """
    home.mkdir(parents=True, exist_ok=True)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__FERNET_KEY": _stored(
            home / "fernet.key", lambda: Fernet.generate_key().decode()
        ),
        "AIRFLOW__API_AUTH__JWT_SECRET": _stored(home / "jwt.key", lambda: secrets.token_hex(48)),
        # SQLite has one writer at a time. On a busy machine, its turn comes later than after the
        # default 5 s.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        "AIRFLOW__INSTAGRAM__MEDIA_ROOTS": ",".join(map(str, media_roots)),
    }


def _stored(file: Path, make: Callable[[], str]) -> str:
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(make())
    return file.read_text()
