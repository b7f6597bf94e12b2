"""Slack over HTTPS or Socket Mode: `gate` guards, `inbound`, `render`, `forms` translate, `deliver` sends."""
