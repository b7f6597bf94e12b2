"""Slack's limits, each once: the renderer keeps them, and the stand-in that tests talk to enforces them.

Last checked on 22 November 2026; look again within a year.

Sources: docs.slack.dev (block-kit, views, app-manifest, events-api, interactivity), the type documentation of
@slack/types and @slack/web-api, and slackapi/bolt-js issue 2509 for the size of all blocks. Lengths are
characters as sent (so after escaping), durations seconds.
"""

from __future__ import annotations

# What comes in
BODY_BYTES = 256 * 1024
NESTING = 32
SIGNATURE_AGE = 300
FORM_FIELDS = 200

# Messages
MESSAGE_BLOCKS = 50
MESSAGE_BLOCKS_SIZE = 13_000
"""All blocks as compact JSON. Undocumented; refused from about 13 170 on (`msg_blocks_too_long`)."""
MESSAGE_TEXT = 40_000
MESSAGE_TEXT_GOOD = 4000
METADATA_SIZE = 8000
MESSAGES_A_SECOND = 1
"""In one channel."""

# Channels
CHANNEL_NAME = 80
"""Lower-case letters, digits, hyphens and underscores."""
CHANNEL_TOPIC = 250
CHANNEL_PAGE = 1000
INVITED_AT_ONCE = 100

# Blocks
HEADER = 150
SECTION = 3000
SECTION_FIELDS = 10
SECTION_FIELD = 2000
CONTEXT_ELEMENTS = 10
CONTEXT = 2000
ACTIONS = 25
TABLE_ROWS = 100
"""Besides the header row."""
TABLE_COLUMNS = 20
TABLE_SIZE = 10_000
"""The cells of all tables of a message together."""
TABLE_PAGE = 100
CHARTS = 2
"""In one message."""
CHART_TITLE = 50
CHART_SERIES = 12
CHART_CATEGORIES = 20
CHART_LABEL = 20
"""The names of series, categories and segments."""
CHART_AXIS = 50
ALT_TEXT = 1000
PLAN_TITLE = 150
PLAN_TASKS = 40
TASK_TITLE = 150
"""Nothing is documented about plans but their shape; these are as much as a phone shows well."""

# Elements
BUTTON = 75
BUTTON_VALUE = 2000
OVERFLOW = 5
OPTIONS = 100
OPTION = 75
OPTION_VALUE = 150
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
IDENTIFIER = 255
"""`action_id`, `block_id`, `callback_id`."""
INPUT = 3000
LABEL = 2000
HINT = 2000

# Views
VIEW_BLOCKS = 100
VIEW_TITLE = 24
VIEW_BUTTON = 24
PRIVATE_METADATA = 3000

# Answers
ACKNOWLEDGE = 3.0
TRIGGER = 3.0
RESPONSE_URL_USES = 5
RESPONSE_URL_LIFE = 30 * 60

# The app's manifest
APP_NAME = 35
APP_DESCRIPTION = 140
APP_LONG_DESCRIPTION = (174, 4000)
BOT_NAME = 80
COMMANDS = 50
COMMAND_NAME = 32
COMMAND_DESCRIPTION = 2000
COMMAND_HINT = 1000
SHORTCUTS = 10
SHORTCUT_NAME = 24
SHORTCUT_DESCRIPTION = 150
BOT_EVENTS = 100
SCOPES = 255

RESERVED_COMMANDS = {
    "active",
    "apps",
    "archive",
    "away",
    "call",
    "collapse",
    "dm",
    "dnd",
    "expand",
    "feed",
    "feedback",
    "feeds",
    "giphy",
    "help",
    "huddle",
    "invite",
    "invite_people",
    "join",
    "keys",
    "kick",
    "leave",
    "me",
    "msg",
    "mute",
    "open",
    "part",
    "prefs",
    "pro",
    "remind",
    "remove",
    "rename",
    "search",
    "shortcuts",
    "shrug",
    "star",
    "status",
    "topic",
    "unarchive",
    "who",
}
"""Slack's own slash commands: one of these in a manifest makes Slack refuse all of it."""
