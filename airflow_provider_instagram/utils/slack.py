"""Text of others in messages to Slack, also to Mattermost and Rocket.Chat, which take the same messages."""

from __future__ import annotations

from html import escape


def slack_text(text: object) -> str:
    """Return a text that Slack shows as it is: it notifies nobody, as ``<!channel>`` would, and hides no link.

    Source: Slack, Formatting text for app surfaces, Escaping text, which names these three
    characters.

    :param text: A text of others, such as a caption. None is shown as an empty text.
    """
    return escape("" if text is None else str(text), quote=False)
