"""What Discord allows, as named numbers; render, commands and tests use these and no others.

From the Discord developer documentation (components reference, application commands, message resource,
threads, rate limits), which is kept at github.com/discord/discord-api-docs.
"""

from __future__ import annotations

from datetime import date

CHECKED = date(2026, 11, 22)

# A message in components v2
MESSAGE_COMPONENTS = 40
MESSAGE_TEXT = 4000
ROW_BUTTONS = 5
BUTTON_LABEL = 80
CUSTOM_ID = 100
ALT_TEXT = 1024
FILE_BYTES = 10 * 1024 * 1024
NONCE = 25

# A form
MODAL_TITLE = 45
MODAL_PARTS = 5
LABEL = 45
LABEL_DESCRIPTION = 100
TEXT_INPUT = 4000
SELECT_OPTIONS = 25
OPTION_LABEL = 100
OPTION_VALUE = 100

# Commands
COMMAND_NAME = 32
COMMAND_DESCRIPTION = 100
COMMAND_OPTIONS = 25
COMMAND_CHOICES = 25
CHOICE_NAME = 100
CHOICE_VALUE = 100
GROUP_COMMANDS = 25
COMMAND_TEXT = 8000
STRING_OPTION = 6000
GUILD_COMMANDS = 100
AUTOCOMPLETE_RESULTS = 25

# Threads
THREAD_NAME = 100
THREAD_ARCHIVE_MINUTES = 10080

# Time, in seconds
INTERACTION_ANSWER = 3.0
RATE_LIMIT_PATIENCE = 30.0
"""The shortest that discord.py accepts; a longer wait is the courier's to plan."""
IDENTIFIES_AT_MOST, IDENTIFIES_WITHIN = 5, 600.0
"""Sign-ins in so many seconds, our own bound on new clients: 720 in a day, of the 1000 that Discord allows."""

# Error codes
UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
EDITED_TOO_OFTEN = 30046
THREAD_EXISTS = 160004


def shortened(text: str, at_most: int) -> str:
    """A label that fits, ending in … when something was left off; what people wrote is split instead."""
    flat = " ".join(text.split())
    return flat if len(flat) <= at_most else f"{flat[: at_most - 1]}…"
