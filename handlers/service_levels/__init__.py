"""Service levels: what was promised, by when, why, whether it was kept, whether it will be, and what would change it.

A clock is computed from the evidence each time it matters. What is stored is a projection for lists, tallies of it
for figures, and one due moment for each clock: the next at which time alone changes it.
"""
