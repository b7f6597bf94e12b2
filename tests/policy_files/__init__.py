"""Is what the organisation says read rightly, and is everything wrong with it told, by file and line?"""
