"""The claim check: large values live in an object store and only references travel.

Nothing is built here yet: every value of a run travels inline, within Temporal's own limits.
"""

__all__: list[str] = []
