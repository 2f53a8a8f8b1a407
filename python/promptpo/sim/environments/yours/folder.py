"""A folder with an `environment.toml`: read when it is asked for, and read again when it has changed.

Owns one folder: its manifest, modules, texts and revision. What was made from an earlier state of the folder
refuses to go on, so that no result is told under the wrong revision.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptpo.sim.environments.unknown import BrokenEnvironment, UnknownEnvironment
from promptpo.sim.environments.yours import gymnasium_id
from promptpo.sim.environments.yours.known import Known, Recipe, known
from promptpo.sim.environments.yours.manifest import FILE_NAME, Manifest, parse
from promptpo.sim.environments.yours.modules import FolderModules
from promptpo.sim.environments.yours.revision import dependencies, environment_revision
from promptpo.sim.environments.yours.snapshot import Snapshot, snapshot
from promptpo.sim.environments.yours.spaces import named_readers
from promptpo.sim.errors import SimError


class Folder:
    """One environment. Not thread-safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digest = ""
        self._modules: FolderModules | None = None
        self._found: Known | BrokenEnvironment | None = None

    @property
    def file(self) -> Path:
        """Its environment.toml."""
        return self.root / FILE_NAME

    def manifest(self) -> Manifest:
        """As the file is now. Raises BrokenEnvironment."""
        try:
            return parse(self.file.read_text("utf-8"), str(self.file))
        except (OSError, UnicodeDecodeError) as error:
            raise BrokenEnvironment(f"{self.file}: cannot be read: {error}") from error

    def names(self) -> tuple[str, ...]:
        """Under which it is looked for: its id, or if that cannot be told what comes nearest to one."""
        try:
            return (self.manifest().id,)
        except BrokenEnvironment:
            try:
                text = self.file.read_bytes().decode("utf-8", "replace")
            except OSError:
                text = ""
            written = re.search(r"""^\s*id\s*=\s*["']([^"']+)["']""", text, re.MULTILINE)
            return (self.root.name,) if written is None else (written[1], self.root.name)

    def known(self) -> Known:
        """Of the folder as it is now. Raises BrokenEnvironment, the same one until the folder changes."""
        now = snapshot(self.root)
        if self._found is None or now.digest != self._digest:
            self._found = None
            # Raises where it was changed while it was looked at: then nothing is known of it.
            self._found = self._look(now)
            self._digest = now.digest
        if isinstance(self._found, BrokenEnvironment):
            raise self._found
        return self._found

    def _look(self, now: Snapshot) -> Known | BrokenEnvironment:
        if self._modules is not None:
            self._modules.forget()
        self._modules = FolderModules(now)
        try:
            return known(self._recipe(now, self.manifest(), self._modules))
        except BrokenEnvironment as error:
            return error

    def _recipe(self, now: Snapshot, manifest: Manifest, modules: FolderModules) -> Recipe:
        where = str(self.file)
        entries = manifest.observation

        def unchanged() -> None:
            try:
                same = snapshot(self.root).digest == now.digest
            except BrokenEnvironment:
                same = False  # a file went away while it was read
            if not same:
                raise SimError("CONFLICT", f"{manifest.id}: {self.root} was changed meanwhile; ask again")

        def revision(env: Any) -> str:  # noqa: ANN401
            holder = type(env.unwrapped).__module__
            own = modules.loaded()
            # A folder of no more than a manifest depends on whoever holds the class.
            elsewhere = [] if any(each.__name__ == holder for each in own) else [environment_revision(env)]
            return ", ".join(dict.fromkeys((f"sha256:{now.digest}", *elsewhere, *dependencies(own))))

        return Recipe(
            id=manifest.id,
            make=self._maker(manifest, modules),
            revision=revision,
            horizon_hint=f"{where}: horizon: expected a whole number of steps, got nothing",
            unchanged=unchanged,
            readers=(lambda space: named_readers(where, space, entries)) if entries else None,
            horizon=manifest.horizon,
            step_seconds=manifest.step_seconds,
            policy_class=manifest.policy_class,
            success_key=manifest.success_key,
            selection=manifest.selection,
            observation_text=self._text("observation", manifest.observation_text),
            implementation_text=self._text("implementation", manifest.implementation_text),
            reward_texts={
                kind: text
                for kind, name in manifest.reward_texts.items()
                if (text := self._text(kind, name)) is not None
            },
            default_reward=manifest.default_reward,
        )

    def _maker(self, manifest: Manifest, modules: FolderModules) -> Callable[[], Any]:
        if manifest.env is not None:
            asked = manifest.env
            try:
                env = gymnasium_id.registered(asked, asked)
            except UnknownEnvironment as error:
                near = f" (nearest: {', '.join(error.nearest)})" if error.nearest else ""
                expected = f"the id of an installed gymnasium environment{near}"
                raise BrokenEnvironment(f"{self.file}: env: expected {expected}, got {asked!r}") from error
            return lambda: gymnasium_id.make(env, manifest.arguments, manifest.horizon)
        entry = self._entry(manifest.entry_point or "", modules)

        def make() -> Any:  # noqa: ANN401
            from gymnasium.envs.registration import EnvSpec

            name = f"{manifest.id}-v0" if not re.search(r"-v\d+$", manifest.id) else manifest.id
            spec = EnvSpec(id=name, entry_point=entry, max_episode_steps=manifest.horizon)
            return gymnasium_id.make(spec, manifest.arguments, None)

        return make

    def _entry(self, entry_point: str, modules: FolderModules) -> Callable[..., Any]:
        """What "module:callable" names, from the folder or else from what is installed."""
        from importlib import import_module

        from promptpo.sim.environments.importing import importing_simulators

        name, _, path = entry_point.partition(":")
        try:
            with importing_simulators():
                found: Any = modules.load(name) if modules.has(name) else import_module(name)
                for attribute in path.split("."):
                    found = getattr(found, attribute)
        except (Exception, SystemExit) as error:
            raise BrokenEnvironment(
                f"{self.file}: entry_point: expected a callable that can be imported, got {entry_point!r}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not callable(found):
            raise BrokenEnvironment(f"{self.file}: entry_point: expected a callable, got {found!r}")
        return found  # type: ignore[no-any-return]

    def _text(self, key: str, name: str | None) -> str | None:
        if name is None:
            return None
        try:
            text = (self.root / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BrokenEnvironment(
                f"{self.file}: texts.{key}: expected a UTF-8 text file, got {name!r}: {error}"
            ) from error
        if not text.strip():
            raise BrokenEnvironment(f"{self.file}: texts.{key}: expected a text, got the empty file {name!r}")
        return text.rstrip() + "\n"


def folders_in(root: Path) -> list[Path]:
    """The folders with an environment.toml: the root itself, or those directly in it."""
    if (root / FILE_NAME).is_file():
        return [root]
    return sorted(each.parent for each in root.glob(f"*/{FILE_NAME}"))
