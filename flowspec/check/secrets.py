"""Checks of secrets: declared, used, and only where their values stay out of the history."""

from __future__ import annotations

from flowspec.catalogue import Catalogue
from flowspec.check.damage import Damage
from flowspec.check.notes import Notes
from flowspec.check.reads import Read
from flowspec.check.sites import Site
from flowspec.wording import did_you_mean, listed, nearest

__all__ = ["Secrets"]

_SHOWN = {
    "log": "a log line would show it",
    "set": "variables are stored in the history of the run",
    "approval": "people would see it, and the history of the run",
    "call": "what is sent to an activity is stored in the history of the run; let the activity's "
    "own worker have the secret",
}


class Secrets:
    """Judges each use of a secret, and remembers it."""

    def __init__(
        self, declared: tuple[str, ...], catalogue: Catalogue, damage: Damage, notes: Notes
    ) -> None:
        self._declared = declared
        self._catalogue = catalogue
        self._damage = damage
        self._notes = notes
        self._used: dict[str, None] = {}

    def use(self, read: Read) -> None:
        if len(read.keys) < 2:
            message = "secrets are read by their written name only, such as secrets.API_TOKEN"
            self._notes.add("FR412", read.path, message, span=read.span, found="secrets")
            self._used.update(dict.fromkeys(self._declared))
            return
        name = str(read.keys[1])
        self._used[name] = None
        if name not in self._declared and not self._damage.hides("secrets"):
            meant = nearest(name, self._declared)
            advice = did_you_mean(meant) or "; add it to `secrets` at the top of the flow"
            message = f"the secret {name!r} is not declared{advice}"
            self._notes.add(
                "FR601", read.path, message, span=read.span, found=name, suggestion=meant
            )
        if not self._may_stand(read.site):
            message = f"the secret {name!r} cannot stand in {self._why_not(read.site)}"
            self._notes.add("FR602", read.path, message, span=read.span, found=name)

    def note_unused(self) -> None:
        for index, name in enumerate(self._declared):
            if name not in self._used:
                message = f"the secret {name!r} is declared, but nothing uses it; remove it"
                path = ("secrets", index)
                self._notes.add("FR603", path, message, found=name, severity="warning")

    def _may_stand(self, site: Site) -> bool:
        if site.node is None or site.param is None:
            return False
        node_type = self._catalogue.get(site.node.type)
        if node_type is None:
            return True
        return "*" in node_type.secret_params or site.param in node_type.secret_params

    def _why_not(self, site: Site) -> str:
        node_type = self._catalogue.get(site.node.type) if site.node is not None else None
        if node_type is None:
            return f"{site.what}, which is stored in the history of the run"
        if node_type.name in _SHOWN:
            return f"{site.what}: {_SHOWN[node_type.name]}"
        if not node_type.secret_params:
            return f"{site.what}, which is stored in the history of the run"
        names = listed([repr(name) for name in node_type.secret_params], "and")
        return f"{site.what}; {node_type.name} takes secrets in {names} only"
