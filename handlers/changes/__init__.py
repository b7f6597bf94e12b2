"""Changes: written down, decided on by the right people, made in their time, and looked back upon."""
