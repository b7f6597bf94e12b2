"""Discord: the desk as commands, buttons, forms, threads and direct messages, through discord.py."""
