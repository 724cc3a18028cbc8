"""Real processes, killed, frozen and slowed while runs are under way; and what must hold after it.

`make chaos` is the long run, `tests/server/test_chaos.py` the short one, `make soak` the long calm
one. What is promised, and what was found, is in `docs/explanation/durability.md`.
"""
