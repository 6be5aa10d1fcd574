"""The names under which the Posts page stores files of phones and people."""

from __future__ import annotations

import pytest

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.plugin.board.uploads import stored_name


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Brötchen Sonntag.jpg", "Brötchen Sonntag.jpg"),
        ("Bro\u0308tchen.jpg", "Brötchen.jpg"),  # as macOS writes it
        ("photo (1).jpg", "photo (1).jpg"),
        ("IMG 2031.HEIC", "IMG 2031.HEIC"),
        ("[Final] a, b; 50% #1?.mp4", "(Final) a_ b_ 50_ _1.mp4"),
        ("Screenshot at 9.41.00\u202fAM.png", "Screenshot at 9.41.00 AM.png"),  # as macOS names it in English
        ("日本.png", "日本.png"),
        ("we ❤️ it.jpg", "we _ it.jpg"),
        ("-rf.mp4", "rf.mp4"),
        (f"{'ä' * 300}.mp4", f"{'ä' * 75}.mp4"),
    ],
)
def test_a_file_keeps_its_name_as_far_as_that_is_safe(given: str, stored: str) -> None:
    assert stored_name(given) == stored


@pytest.mark.parametrize(
    "given", ["../x.mp4", "a/x.mp4", "a\\x.mp4", ".x.mp4", "x", "", "….mp4", "x\0.mp4", "a\u202eb.mp4"]
)
def test_a_name_that_hides_a_file_or_leads_elsewhere_is_refused(given: str) -> None:
    with pytest.raises(InvalidValue):
        stored_name(given)
