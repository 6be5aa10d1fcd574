"""The fields of the forms, as the declaration of a post has them, and the lines of a diff."""

from __future__ import annotations

import pytest

from airflow_provider_instagram.plugin.board.forms import form_fields, public_lines

HOST = "https://media.example.com"
#: Links with a secret, as a file may contain them: in YAML, in JSON and in CSV.
SECRETS = {
    "plain": f"video: {HOST}/a.mp4?s=SECRET",
    "in a comment": f"video: b.mp4  # was {HOST}/a.mp4?s=SECRET",
    "without a scheme": "video: //media.example.com/a.mp4?s=SECRET",
    "of object storage": "video: s3://bucket/a.mp4?s=SECRET",
    "as a fragment": f"video: {HOST}/a.mp4#SECRET",
    "as a password": "video: https://me:SE/SECRET@media.example.com/a.mp4",
    "as a password after a line": "video: https://\n  me:SECRET@media.example.com/a.mp4",
    "percent-encoded": "video: https%3A%2F%2Fmedia.example.com%2Fa.mp4%3Fs%3DSECRET",
    "in an escape of YAML": rf'video: "{HOST}/a.mp4\U0000003fs=SECRET"',
    "in an escape of JSON": r'"video": "https:\/\/media.example.com\/a.mp4\u003fs=SECRET"',
    "in a single quote": f"video: '{HOST}/a.mp4?\n\n   s=SECRET'",
    "over lines": f'video: "{HOST}/a.mp4?s=1&\\\n    SECRET\\\n   SECRET"',
    "over lines in its name": f'video: "{HOST}/\\\n    a.mp4?\\x73=SECRET"',
    "after a space": f"video: {HOST}/a.mp4 \n      ?s=SECRET",
    "after a comment": f"video: {HOST}/a.mp4?s=1 # new\n      SECRET",
    "after a comma": f"video: {HOST}/a.mp4?s=1,\n      SECRET",
    "over lines in its scheme": 'video: "https:/\\\n    /media.example.com/a.mp4?s=SECRET"',
    "in a list": f"carousel: [a.jpg, {HOST}/b.jpg?s=SECRET, c.jpg]",
    "in a cell": f'x,2030-05-06 08:30,studio,"{HOST}/a.mp4?a=1,s=SECRET",Hello',
}


@pytest.mark.parametrize("how", SECRETS)
def test_no_query_is_in_a_diff_however_it_is_written(how: str) -> None:
    lines = f"  - id: one\n    {SECRETS[how]}\n    caption: Ready? Yes! 1+1=2".split("\n")
    shown = [*public_lines(lines)]
    assert "SECRET" not in "".join(shown), shown
    assert (len(shown), shown[0], shown[-1]) == (len(lines), lines[0], lines[-1])


def test_labels_are_words_for_people() -> None:
    labels = {field["name"]: field["label"] for field in form_fields()}
    assert labels["first_comment"] == "First comment"
    assert labels["is_paid_partnership"] == "Paid partnership"
    assert labels["is_ai_generated"] == "Made with AI"
    assert not [label for label in labels.values() if label.startswith("Is ")]
