"""All environments that are not ours: by id, from folders, entry points and gymnasium's own registry.

Owns the order (folders of PROMPTPO_ENVIRONMENTS, then entry points) and the cache. What is broken is logged
once and told to whoever asks for it; nothing here can keep the sidecar from serving the rest.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from promptpo.sim.environments.base import Environment, EnvironmentSpec
from promptpo.sim.environments.family import Family, Texts
from promptpo.sim.environments.unknown import BrokenEnvironment, UnknownVariant
from promptpo.sim.environments.yours.entry_points import Offered, installed
from promptpo.sim.environments.yours.folder import Folder, folders_in
from promptpo.sim.environments.yours.gymnasium_id import PREFIX, gymnasium_recipe
from promptpo.sim.environments.yours.known import FAMILY_NAME, Known, known
from promptpo.sim.errors import SimError
from promptpo.sim.logs import log

VARIABLE: Final = "PROMPTPO_ENVIRONMENTS"
"""Folders, separated like those of PATH; each holds an environment.toml or subfolders that do."""


class _Yours:
    """The family of everything that is a gymnasium environment of somebody's."""

    name = FAMILY_NAME

    def specs(self) -> tuple[EnvironmentSpec, ...]:
        """Of the folders that work."""
        found = []
        for folder in _folders():
            try:
                found.append(_known(folder).spec)
            except BrokenEnvironment as error:
                complain(str(folder.root), str(error))
        return tuple(found)

    def make(self, spec: EnvironmentSpec) -> Environment:
        return _current(spec).make()

    def texts(self, spec: EnvironmentSpec) -> Texts:
        return _current(spec).texts

    def gym(self, spec: EnvironmentSpec, options: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """For sessions: the environment with its own spaces. Its arguments are its author's to choose."""
        from promptpo.sim.environments.gym_env import BadOption

        for name in options:
            raise BadOption(name, f"{spec.id} takes no options; its arguments are in its environment.toml")
        return _current(spec).make_gym()


FAMILY: Final = _Yours()

_lock: Final = threading.RLock()
_by_root: Final[dict[Path, Folder]] = {}
_by_gymnasium_id: Final[dict[str, Known]] = {}
_complaints: Final[dict[str, str]] = {}


def ids(taken: frozenset[str]) -> tuple[str, ...]:
    """What is listed: folders and entry points, each id once. `taken` are the ids of our own environments."""
    with _lock:
        owners: dict[str, str] = dict.fromkeys(taken, "an environment of PromptPO")
        listed: list[str] = []
        for id_, owner in _claims():
            if id_ not in owners:
                listed.append(id_)
            elif owners[id_] != owner:
                complain(owner, f"{owner}: id: {id_!r} is the id of {owners[id_]} already")
            owners.setdefault(id_, owner)
        return tuple(listed)


def find(id: str, variant: str | None) -> tuple[Family, EnvironmentSpec] | None:  # noqa: A002
    """Who offers `id`, and its spec; None where nobody does.

    Raises UnknownVariant; UnknownEnvironment for a `gym:` id; BrokenEnvironment.
    """
    with _lock:
        if id.startswith(PREFIX):
            return FAMILY, _only(_of_gymnasium(id).spec, variant)
        for folder in _folders():
            if id in folder.names():
                return FAMILY, _only(_known(folder).spec, variant)
        for offered in installed().families:
            specs = [spec for spec in offered.specs if spec.id == id]
            if specs:
                return offered.family, _chosen(specs, variant)
        return None


def complain(about: str, problem: str) -> None:
    """Logs a problem once, and again when it becomes another one."""
    if _complaints.get(about) != problem:
        _complaints[about] = problem
        log("error", "an environment cannot be offered", about=about, problem=problem)


def _claims() -> Iterator[tuple[str, str]]:
    """Every (id, who has it)."""
    for folder in _folders():
        try:
            yield folder.manifest().id, str(folder.root)
        except BrokenEnvironment as error:
            complain(str(folder.root), str(error))
    for offered in installed().families:
        for spec in offered.specs:
            yield spec.id, _owner(offered)


def _owner(offered: Offered) -> str:
    return f"{offered.specs[0].revision}, family {offered.family.name}"


def _folders() -> list[Folder]:
    roots: dict[Path, None] = {}
    for named in os.environ.get(VARIABLE, "").split(os.pathsep):
        if not named.strip():
            continue
        root = Path(named.strip()).expanduser().resolve()
        found = folders_in(root)
        if not found:
            complain(
                named, f"{VARIABLE}: {root}: expected environment.toml in it or in its subfolders, got none"
            )
        roots.update(dict.fromkeys(found))
    for root in installed().folders:
        roots.update(dict.fromkeys(folders_in(root)))
    return [_by_root.setdefault(root, Folder(root)) for root in roots]


def _of_gymnasium(id: str) -> Known:  # noqa: A002
    if id not in _by_gymnasium_id:
        # Installed code stays what it was when it was imported, so this holds for the process.
        _by_gymnasium_id[id] = known(gymnasium_recipe(id))
    return _by_gymnasium_id[id]


def _current(spec: EnvironmentSpec) -> Known:
    """What is known of a spec given out before; refuses if its environment was changed since."""
    with _lock:
        if spec.id.startswith(PREFIX):
            return _of_gymnasium(spec.id)
        found = next((folder for folder in _folders() if spec.id in folder.names()), None)
        if found is None:
            raise SimError("CONFLICT", f"{spec.id}: its folder is gone; ask again")
        now = _known(found)
        if now.spec.revision != spec.revision:
            raise SimError("CONFLICT", f"{spec.id}: {found.root} was changed meanwhile; ask again")
        return now


def _known(folder: Folder) -> Known:
    found = folder.known()
    _complaints.pop(str(folder.root), None)
    return found


def _only(spec: EnvironmentSpec, variant: str | None) -> EnvironmentSpec:
    return _chosen([spec], variant)


def _chosen(specs: list[EnvironmentSpec], variant: str | None) -> EnvironmentSpec:
    found = specs[0] if variant is None else next((each for each in specs if each.variant == variant), None)
    if found is None:
        raise UnknownVariant(specs[0].id, str(variant), tuple(each.variant for each in specs))
    return found
