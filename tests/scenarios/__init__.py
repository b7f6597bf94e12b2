"""Does the story hold, and is it the same story on every surface?"""
