"""How people are woken outside chat: mail, SMS, ntfy, a signed webhook."""
