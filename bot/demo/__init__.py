"""A year of example history, played through the real dispatcher, for looking at the desk before anybody has used it."""

from bot.demo.year import NotEmpty, Played, play

__all__ = ["NotEmpty", "Played", "play"]
