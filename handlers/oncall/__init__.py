"""On call: who is to be woken, when that changes, and how one hands over."""
