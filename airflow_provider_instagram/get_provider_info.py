"""The provider's metadata: its connection form, links and configuration."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_instagram.graph.version import API_VERSION
from airflow_provider_instagram.utils.connection import CONN_TYPE

CONNECTION: Final[dict[str, Any]] = {
    "connection-type": CONN_TYPE,
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
            "login": "17841400000000000 (if empty, the account of the token)",
            "password": "Long-lived access token (IGAA…)",
            "host": "https://graph.instagram.com",
            "port": "443",
        },
    },
    "conn-fields": {
        "api_version": {
            "label": "Graph API version",
            "description": f"The version of Meta's API to use, for example {API_VERSION}.",
            "schema": {"type": ["string", "null"], "default": API_VERSION, "pattern": r"^v\d+\.\d+$"},
        },
        "app_id": {
            "label": "Meta app id",
            "description": "The app that the access token belongs to. Used only to connect and reconnect the account.",
            "schema": {"type": ["string", "null"]},
        },
        "app_secret": {
            "label": "Meta app secret",
            "description": "Used only to connect and reconnect the account, not to publish.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "oauth_host": {
            "label": "OAuth host",
            "description": "Replaces both of Meta's login hosts, for example with a sandbox. Must be a trusted host.",
            "schema": {"type": ["string", "null"]},
        },
        "calls_per_hour": {
            "label": "Calls per hour",
            "description": "How many API calls the account may make within an hour. Waiting uses only a share of them.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000, "default": 200},
        },
        "posts_per_day": {
            "label": "Posts per day",
            "description": "How many posts this provider may publish on the account within 24 hours.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000, "default": 25},
        },
        "posts_per_hour": {
            "label": "Posts per hour",
            "description": "How many posts this provider may publish on the account within an hour.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000, "default": 10},
        },
    },
}

SETTINGS: Final[dict[str, Any]] = {
    "description": "Settings of airflow-provider-instagram.",
    "options": {
        "hosts": {
            "description": (
                "Hosts, separated by commas, that access tokens and app secrets may be sent to, in addition to Meta's "
                "own hosts and this machine. An entry is a host name or a URL without a path. A name means https; an "
                "entry with http:// also permits plain http. An entry without a port covers every port of the host."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "graph.proxy.example.com,http://sandbox:8077",
            "default": "",
        },
        "media_roots": {
            "description": (
                "Folders and object-storage prefixes, separated by commas. Calendars and run parameters may name files "
                "in them. A calendar may also name files in its own folder or prefix."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "/data/videos, s3://media@clips/public/",
            "default": "",
        },
        "work_prefix": {
            "description": (
                "Folder or object-storage prefix for transcoded videos whose source is not a local file and whose "
                "output is not set."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "s3://aws_default@media/instagram/",
            "default": "{AIRFLOW_HOME}/instagram/",
        },
        "calendar_snapshots": {
            "description": (
                "Folder or object storage where the DAGs of content calendars keep the last readable version of each "
                "calendar, when each edit was first seen, and the covers for approvals. With several machines, use a "
                "place that the DAG processor, the workers and the API servers share."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "/data/airflow/calendars/",
            "default": "{AIRFLOW_HOME}/instagram/calendars/",
        },
        "private_sources": {
            "description": (
                "Whether an https source may have a private, loopback or link-local address. If True, everybody who "
                "can trigger a run can read whatever a worker can reach."
            ),
            "version_added": "0.1.0",
            "type": "boolean",
            "example": None,
            "default": "False",
        },
        "ffmpeg": {
            "description": "Name or full path of the ffmpeg program.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "/usr/local/bin/ffmpeg",
            "default": "ffmpeg",
        },
        "ffprobe": {
            "description": "Name or full path of the ffprobe program.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "/usr/local/bin/ffprobe",
            "default": "ffprobe",
        },
        "token_key": {
            "description": (
                "Additional secret for the encryption of refreshed access tokens. It must be the same on every "
                "component. Changing it invalidates the stored tokens."
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
    """Return the metadata of this provider (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "airflow-provider-instagram",
        "name": "Instagram",
        "description": "Publish videos to Instagram Reels and Feed, on time and exactly once.",
        "connection-types": [CONNECTION],
        "extra-links": ["airflow_provider_instagram.links.instagram.InstagramPostLink"],
        "cli": ["airflow_provider_instagram.cli.definition.get_instagram_commands"],
        "config": {"instagram": SETTINGS},
    }
