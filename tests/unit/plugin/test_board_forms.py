"""The fields of the forms, as the declaration of a post has them."""

from __future__ import annotations

from airflow_provider_instagram.plugin.board.forms import form_fields


def test_labels_are_words_for_people() -> None:
    labels = {field["name"]: field["label"] for field in form_fields()}
    assert labels["first_comment"] == "First comment"
    assert labels["is_paid_partnership"] == "Paid partnership"
    assert labels["is_ai_generated"] == "Made with AI"
    assert not [label for label in labels.values() if label.startswith("Is ")]
