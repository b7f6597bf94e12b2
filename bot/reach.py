"""What the desk reaches people by: the platforms that its settings connect, and what its people name besides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from config.policy import Policy, Way
from config.settings import Settings

_SETS_UP = {
    Way.MAIL: "SMTP_URL",
    Way.SMS: "TWILIO_ACCOUNT_SID",
    Way.NTFY: "NTFY_URL",
    Way.WEBHOOK: "WEBHOOK_SECRET",
}


def connected(settings: Settings) -> tuple[str, ...]:
    """The connected platforms: those where people talk first, then the other ways to wake them."""
    named = {
        "slack": settings.slack_bot_token,
        "discord": settings.discord_token,
        "console": settings.console_is_on or None,
        Way.MAIL: settings.smtp_url,
        Way.SMS: settings.twilio_account_sid,
        Way.NTFY: settings.ntfy_url,
        Way.WEBHOOK: settings.webhook_secret,
    }
    return tuple(str(name) for name, value in named.items() if value is not None)


def not_set_up(policy: Policy, platforms: Collection[str]) -> Mapping[Way, Sequence[str]]:
    """The ways that people name among their contacts and the settings do not connect, each with who names it."""
    found: dict[Way, list[str]] = {}
    for person in policy.people.values():
        for way in dict.fromkeys(contact.way for contact in person.contacts):
            if way is not Way.CHAT and way not in platforms:
                found.setdefault(way, []).append(person.key)
    return found


def in_words(missing: Mapping[Way, Sequence[str]]) -> str:
    """Who names what although it is not set up."""
    return "; ".join(f"{way} is named by {', '.join(who)} and not set up" for way, who in missing.items())


def what_to_do(missing: Mapping[Way, Sequence[str]]) -> str:
    """What sets them up."""
    return f"Set {', '.join(_SETS_UP[way] for way in missing)} (docs/settings.md), or name other contacts."
