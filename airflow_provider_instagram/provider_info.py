"""What Airflow asks of a provider: its connection form, links and configuration."""

from __future__ import annotations

from typing import Any, Final

CONNECTION: Final[dict[str, Any]] = {
    "connection-type": "instagram",
    "hook-name": "Instagram",
    "hook-class-name": "airflow_provider_instagram.hooks.instagram.InstagramHook",
    "ui-field-behaviour": {
        "hidden-fields": ["schema"],
        "relabeling": {
            "login": "Instagram user id",
            "password": "Access token",
            "host": "Graph host",
        },
        "placeholders": {
            "login": "17841400000000000 (read from the token's account when empty)",
            "password": "Long-lived access token (IGAA…)",
            "host": "https://graph.instagram.com",
            "port": "443",
        },
    },
    "conn-fields": {
        "api_version": {
            "label": "Graph API version",
            "description": "The version of Meta's API to speak, for example v27.0.",
            "schema": {"type": ["string", "null"], "default": "v27.0", "pattern": r"^v\d+\.\d+$"},
        },
        "app_id": {
            "label": "Meta app id",
            "description": "The app that the access token was made for. Used to connect and reconnect.",
            "schema": {"type": ["string", "null"]},
        },
        "app_secret": {
            "label": "Meta app secret",
            "description": "Used to connect and reconnect. Not needed to publish.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "oauth_host": {
            "label": "OAuth host",
            "description": "Replaces both of Meta's login hosts, with a sandbox for example. Must be a trusted host.",
            "schema": {"type": ["string", "null"]},
        },
        "calls_per_hour": {
            "label": "Calls per hour",
            "description": "What the account may call; waiting for containers keeps to a share of it.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000, "default": 200},
        },
        "posts_per_day": {
            "label": "Posts per day",
            "description": "How many posts this provider makes on the account within 24 hours.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000, "default": 25},
        },
        "posts_per_hour": {
            "label": "Posts per hour",
            "description": "How many posts this provider makes on the account within an hour.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000, "default": 10},
        },
    },
}

SETTINGS: Final[dict[str, Any]] = {
    "description": "Settings of airflow-provider-instagram.",
    "options": {
        "hosts": {
            "description": (
                "Hosts, separated by commas, that access tokens and app secrets may be sent to, beside Meta's own and "
                "this machine. An entry is a host name or a URL without a path. A name means https; an entry with "
                "http:// also permits plain http. An entry without a port covers every port of the host."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "graph.proxy.example.com,http://sandbox:8077",
            "default": "",
        },
        "media_roots": {
            "description": (
                "Folders and object-storage prefixes, separated by commas, that calendars and run parameters "
                "may name files of. A calendar may also name files of its own folder or prefix."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "/data/videos, s3://media@clips/public/",
            "default": "",
        },
        "work_prefix": {
            "description": (
                "Folder or object-storage prefix for finished videos whose source is not a local file "
                "and that were given no output."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "s3://aws_default@media/instagram/",
            "default": "{AIRFLOW_HOME}/instagram/",
        },
        "calendar_snapshots": {
            "description": (
                "Folder where DAGs made of content calendars keep the last text that could be read, and "
                "when each edit was first seen. It should outlive a restart of the DAG processor."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "/data/airflow/calendars/",
            "default": "{AIRFLOW_HOME}/instagram/calendars/",
        },
        "private_sources": {
            "description": (
                "Whether an https source may stand on a private, loopback or link-local address. "
                "Everybody who can start a run can then read what a worker can reach."
            ),
            "version_added": "0.1.0",
            "type": "boolean",
            "example": None,
            "default": "False",
        },
        "ffmpeg": {
            "description": "The ffmpeg program, by name or full path.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "/usr/local/bin/ffmpeg",
            "default": "ffmpeg",
        },
        "ffprobe": {
            "description": "The ffprobe program, by name or full path.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "/usr/local/bin/ffprobe",
            "default": "ffprobe",
        },
        "token_key": {
            "description": (
                "Additional secret for the encryption of refreshed access tokens. "
                "The same on every component; changing it voids the stored tokens."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "sensitive": True,
            "example": None,
            "default": "",
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """Describe this provider to Airflow (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "airflow-provider-instagram",
        "name": "Instagram",
        "description": "Publish videos to Instagram Reels and Feed, on time and exactly once.",
        "connection-types": [CONNECTION],
        "extra-links": ["airflow_provider_instagram.links.instagram.InstagramPostLink"],
        "cli": ["airflow_provider_instagram.cli.get_instagram_commands"],
        "config": {"instagram": SETTINGS},
    }
