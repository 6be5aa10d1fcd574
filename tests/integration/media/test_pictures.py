"""Pictures: each sample of the corpus has the outcome that is written beside it, and hostile ones end in words."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from PIL import Image

from airflow_provider_instagram.cli.check import check
from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media import _pillow
from airflow_provider_instagram.media.kind import kind_of
from airflow_provider_instagram.media.picture import PictureItem
from airflow_provider_instagram.media.plan import plan_picture
from airflow_provider_instagram.media.spec import FEED_PICTURE, Options, profile_for
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.utils.time_limit import Cancel
from tests.integration.media.picture_corpus import (
    CUT,
    HOSTILE,
    SAMPLES,
    Sample,
    cut,
    exif,
    jpeg_bytes,
    quarters,
    see_through,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_instagram.media.report import Report
    from airflow_provider_instagram.media.spec import Fit

#: Meta's and the specification's rules, written down once more: narrowest, widest.
ASPECT_RATIOS = {"feed": (0.8, 1.91), "story": (9 / 16 * 0.99, 9 / 16 * 1.01)}


def assert_complies(path: Path, placement: str = "feed") -> Image.Image:
    """Check every rule with Pillow, and return the decoded picture."""
    picture = Image.open(path)
    picture.load()
    narrowest, widest = ASPECT_RATIOS[placement]
    assert (picture.format, picture.mode) == ("JPEG", "RGB")
    assert 320 <= picture.width <= 1440
    assert narrowest <= picture.width / picture.height <= widest
    assert path.stat().st_size <= 8_000_000
    return picture


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[Report, Path]]:
    """Convert a picture in a directory of its own, which must contain the result and nothing else afterwards."""

    def go(source: Path, placement: str = "feed", fit: Any = "pad", **options: Any) -> tuple[Report, Path]:
        output = tmp_path / "out" / "picture.jpg"
        output.parent.mkdir(exist_ok=True)
        report = PictureItem.read(source, profile_for(placement).picture, Options(fit, **options)).write(output)
        assert os.listdir(output.parent) == ["picture.jpg"]  # noqa: PTH208
        return report, output

    return go


def test_the_corpus_has_sixty_pictures_with_names_of_their_own() -> None:
    assert len(SAMPLES) >= 60
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)


HUGE = [sample for sample in SAMPLES if sample.name.startswith("huge")]


@pytest.mark.long
@pytest.mark.parametrize("sample", HUGE, ids=str)
def test_a_hundred_million_pixels_fit_into_the_limits_of_the_process(
    sample: Sample, run: Callable[..., tuple[Report, Path]], tmp_path: Path
) -> None:
    sample.make(source := tmp_path / sample.name)
    report, output = run(source)
    assert {reason.rule for reason in report.plan.reasons} == sample.rules
    after = report.as_data()["after"]
    assert assert_complies(output).size == sample.size == (after["columns"], after["rows"])


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample not in HUGE], ids=str)
def test_each_picture_has_the_expected_outcome(sample: Sample, tmp_path: Path) -> None:
    """Decided and made in this process, because the tests below start those with limits."""
    sample.make(source := tmp_path / sample.name)
    before = source.read_bytes()
    assert kind_of(source) is ItemKind.PICTURE
    spec, fit = profile_for(sample.placement).picture, cast("Fit", sample.fit)
    info = after = _pillow.read(source)
    todo = plan_picture(info, spec, fit)
    assert {reason.rule for reason in todo.reasons} == sample.rules
    assert sample.warns in " ".join(todo.warnings)
    output = source
    if sample.rules:
        output = tmp_path / "picture.jpg"
        after = _pillow.convert(source, output, spec, fit, "black")
        assert source.read_bytes() == before
    picture = assert_complies(output, sample.placement)
    assert picture.size == sample.size == (after.columns, after.rows)
    if sample.rules:
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    for number, colour in enumerate(sample.corners or ()):
        x = picture.width * (1 + 2 * (number % 2)) // 4
        y = picture.height * (1 + 2 * (number // 2)) // 4
        assert picture.getpixel((x, y)) == pytest.approx(colour, abs=8), number


@pytest.mark.parametrize("fit", ["pad", "blur", "crop"])
def test_what_a_wide_picture_leaves_free_is_filled_as_asked(
    fit: str, run: Callable[..., tuple[Report, Path]], tmp_path: Path
) -> None:
    Image.new("RGB", (3000, 500), (200, 60, 40)).save(tmp_path / "wide.png")
    _, output = run(tmp_path / "wide.png", fit=fit, background="#00ff00")
    picture = assert_complies(output)
    bar = (0, 255, 0) if fit == "pad" else (200, 60, 40)
    assert picture.getpixel((5, 5)) == pytest.approx(bar, abs=8)
    assert picture.getpixel((picture.width // 2, picture.height // 2)) == pytest.approx((200, 60, 40), abs=8)


@pytest.mark.parametrize(
    ("background", "shown"), [("white", (255, 255, 255)), ("#204060", (32, 64, 96)), ("rebeccapurple", (102, 51, 153))]
)
def test_what_is_transparent_shows_the_background(
    background: str, shown: tuple[int, ...], run: Callable[..., tuple[Report, Path]], tmp_path: Path
) -> None:
    see_through().save(tmp_path / "alpha.png")
    _, output = run(tmp_path / "alpha.png", background=background)
    assert assert_complies(output).getpixel((600, 750)) == pytest.approx(shown, abs=6)


def _ssim(made: Path, wanted: Path) -> float:
    command = ["ffmpeg", "-nostats", "-i", str(made), "-i", str(wanted)]
    graph = "[0:v]format=yuv444p[a];[1:v]format=yuv444p[b];[a][b]ssim"
    said = subprocess.run([*command, "-lavfi", graph, "-f", "null", "-"], capture_output=True, text=True, check=True)
    return float(said.stderr.rpartition("All:")[2].split()[0])


@pytest.mark.parametrize(
    ("graph", "size"),
    [
        ("testsrc2=s=1080x1350", "1080:1350"),
        pytest.param("mandelbrot=s=4000x3000", "1440:1080", marks=pytest.mark.long),
        ("mandelbrot=s=1920x1080", "1440:810"),
    ],
)
def test_the_result_looks_like_its_source(
    graph: str, size: str, corpus: Callable[..., Path], run: Callable[..., tuple[Report, Path]], tmp_path: Path
) -> None:
    """Compared with ffmpeg's own scaling of the source."""
    source = corpus(f"detail-{size.replace(':', 'x')}.png", "-f", "lavfi", "-i", graph, "-frames:v", "1")
    for name in ("detail.png", "detail.jpg"):
        Image.open(source).convert("RGB").save(tmp_path / name, quality=97, subsampling=0)
        _, output = run(tmp_path / name)
        scaled = ["-vf", f"scale={size}:flags=lanczos+accurate_rnd+full_chroma_int", str(tmp_path / "wanted.png")]
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(tmp_path / name), *scaled], check=True)
        assert _ssim(output, tmp_path / "wanted.png") > 0.98
        output.unlink(missing_ok=True)


def test_a_picture_that_is_hard_to_compress_gets_the_highest_quality_that_fits(tmp_path: Path) -> None:
    Image.effect_noise((1440, 1800), 90).convert("RGB").save(tmp_path / "noise.png")
    spec = replace(FEED_PICTURE, max_size_bytes=600_000)
    PictureItem.read(tmp_path / "noise.png", spec).write(tmp_path / "out.jpg")
    assert 550_000 < (tmp_path / "out.jpg").stat().st_size <= 600_000


def test_the_items_of_a_carousel_have_the_shape_of_the_first(tmp_path: Path) -> None:
    shape = profile_for("carousel").with_aspect_ratio(1.25).picture
    (tmp_path / "out").mkdir()
    for name, size in (("square", (1000, 1000)), ("wide", (2000, 900)), ("same", (1000, 800))):
        quarters(*size).save(tmp_path / f"{name}.jpg", quality=92)
    reports = [
        PictureItem.read(tmp_path / f"{name}.jpg", shape, Options("crop")).write(tmp_path / "out" / f"{name}.jpg")
        for name in ("square", "wide", "same")
    ]
    assert [report.plan.tier for report in reports] == ["full", "full", "pass"]
    assert [report.after.aspect_ratio for report in reports] == pytest.approx([1.25] * 3, rel=0.01)


def _cpu_s_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _convert(source: Path, output: Path) -> None:
    assert kind_of(source) is ItemKind.PICTURE
    PictureItem.read(source, FEED_PICTURE).write(output)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused_in_words(name: str, tmp_path: Path) -> None:
    """Within ten seconds of CPU time, which other work on the machine does not change, and at most 2 GiB of memory."""
    make, words = HOSTILE[name]
    (source := tmp_path / name).write_bytes(make())
    (tmp_path / "out").mkdir()
    before_s = _cpu_s_of_children()
    with pytest.raises(ValidationError, match=words) as refusal:
        _convert(source, tmp_path / "out" / "picture.jpg")
    assert _cpu_s_of_children() - before_s < 10
    assert refusal.value.hint
    assert not list((tmp_path / "out").iterdir())
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2.2 * 1024**2


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("suffix", CUT)
def test_a_picture_that_is_cut_off_is_refused(suffix: str, share: float, tmp_path: Path) -> None:
    (source := tmp_path / f"cut.{suffix}").write_bytes(cut(suffix, share))
    assert kind_of(source) is ItemKind.PICTURE
    with pytest.raises(ValidationError, match="is damaged"):
        PictureItem.read(source, FEED_PICTURE)


def test_a_compliant_picture_that_is_cut_off_does_not_pass(tmp_path: Path) -> None:
    whole = jpeg_bytes(Image.effect_noise((800, 1000), 80).convert("RGB"))
    (source := tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ValidationError, match=r"is damaged.*Copy or export it again"):
        PictureItem.read(source, FEED_PICTURE)


def test_a_result_never_replaces_its_source(tmp_path: Path) -> None:
    quarters(2000, 2000).save(source := tmp_path / "only-one.jpg")
    with pytest.raises(ValidationError, match=r"would replace its source.*another file"):
        PictureItem.read(source, FEED_PICTURE).write(source)


def test_cancelled_work_starts_nothing(tmp_path: Path) -> None:
    quarters(2000, 2000).save(source := tmp_path / "picture.jpg")
    item = PictureItem.read(source, FEED_PICTURE, Options(cancel=(cancel := Cancel())))
    cancel.cancel()
    with pytest.raises(TranscodeError, match="cancelled"):
        item.write(tmp_path / "out.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture.jpg"]


def test_the_worker_process_knows_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in isolated mode, so no variable and no file beside the picture changes what it imports."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "PIL.py").write_text("raise SystemExit(3)")
    quarters(2000, 2000).save(source := tmp_path / "picture.jpg")
    script = (
        "import sys; sys.path.insert(0, ''); from pathlib import Path;"
        "from airflow_provider_instagram.media.picture import PictureItem;"
        "from airflow_provider_instagram.media.spec import FEED_PICTURE;"
        f"print(PictureItem.read(Path({str(source)!r}), FEED_PICTURE).info.columns)"
    )
    monkeypatch.delenv("PYTHONPATH")
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "2000"


def test_the_check_of_a_picture_names_its_rules(tmp_path: Path) -> None:
    quarters(2000, 2000).save(tmp_path / "large.jpg", exif=exif(gps=True))
    verdict = check(tmp_path / "large.jpg", profile_for("feed"))
    text = "\n".join(verdict.lines)
    assert verdict.exit_code == 1
    for words in (
        "2000x2000",
        "needs work for feed: a new JPEG",
        "columns: 2000 is not between 320 and 1440",
        "EXIF GPS",
    ):
        assert words in text
