"""Pictures and videos: whether this machine can draw, with what, and how frames become an mp4.

Owns the choice of MuJoCo's OpenGL backend. Nothing here can take the process down: a backend is tried in a
process of its own first. Refuses to import a simulator; NumPy and the standard library are enough until a
video is written.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

PROBE_TIMEOUT_S: Final = 60.0
"""A probe takes about a second; a driver that hangs must not keep the sidecar from starting for ever."""

_SWITCHED_OFF: Final = frozenset({"disable", "disabled", "off", "false", "0"})
_PROBED: Final = "PROMPTPO_GL_PROBED"
"""Set for child processes once a backend has drawn, so that they need not try again."""


class RenderingUnavailable(RuntimeError):
    """This machine cannot draw MuJoCo scenes; the message says what was tried and what to install."""


@dataclass(frozen=True)
class Rendering:
    """How MuJoCo scenes are drawn here."""

    backend: str | None
    """"egl", "osmesa" or (with a display) "glfw"; None: nothing works."""
    problem: str
    """Why nothing works, in one line; empty where something does."""


def can_render() -> bool:
    """True where MuJoCo scenes can be drawn. The first call takes about a second (see `rendering`)."""
    return rendering().backend is not None


def render_problem() -> str:
    """Why they cannot; empty where they can."""
    return rendering().problem


@cache
def rendering() -> Rendering:
    """Finds a backend that really draws: MUJOCO_GL's first, then EGL, then OSMesa.

    Each is tried in a process of its own, within PROBE_TIMEOUT_S. MUJOCO_GL=disable switches rendering off.
    OSMesa is also looked for where `osmesa_folders` says. The answer holds for the process and its
    children.
    """
    # Here and not above: a trial runs this file by its path, where no package of ours can be imported.
    from promptpo.sim.environments.importing import asked_backend

    asked = asked_backend()
    if asked in _SWITCHED_OFF:
        return Rendering(None, f"rendering is switched off (MUJOCO_GL={asked})")
    if (known := os.environ.get(_PROBED)) in ("egl", "osmesa", "glfw"):
        return Rendering(known, "")
    problems = []
    for backend in _candidates(asked):
        problem = _probe(backend)
        if problem is None:
            os.environ[_PROBED] = backend
            return Rendering(backend, "")
        problems.append(f"{backend}: {problem}")
    return Rendering(
        None,
        "no OpenGL backend works ("
        + "; ".join(problems)
        + "); install libegl1 with libgl1-mesa-dri, or libosmesa6, "
        "or set PROMPTPO_OSMESA to a folder that holds libOSMesa.so",
    )


def osmesa_folders() -> tuple[Path, ...]:
    """Folders that are searched, whole, for libOSMesa.so* and what it needs, beside the system's own.

    PROMPTPO_OSMESA if it is set, else `.promptpo/osmesa` in the checkout. They need not exist.
    """
    named = os.environ.get("PROMPTPO_OSMESA")
    if named:
        return (Path(named),)
    return (Path(__file__).resolve().parents[3] / ".promptpo" / "osmesa",)


def draw(paint: Callable[[], Any]) -> npt.NDArray[np.uint8]:
    """Calls `paint` (a gymnasium environment's `render`) with a working backend in place.

    Returns its frame as a new C-order `(height, width, 3)` uint8 array. Raises RenderingUnavailable.
    """
    found = rendering()
    if found.backend is None:
        raise RenderingUnavailable(found.problem)
    _put_in_place(found.backend)
    return np.array(paint(), dtype=np.uint8, order="C")


def write_mp4(path: Path, frames: Iterable[npt.NDArray[np.uint8]], fps: float) -> int:
    """Writes frames, `(height, width, 3)` uint8, all of one size, as H.264 in yuv420p; returns how many.

    An odd last row or column is repeated, since yuv420p needs even sizes. Same frames and encoder, same
    bytes: one thread, no date, no encoder's name in the metadata. Raises ValueError without frames or when
    the size changes.
    """
    import imageio_ffmpeg

    shape: tuple[int, ...] | None = None
    writer: Any = None
    count = 0
    try:
        for frame in frames:
            if writer is None:
                shape = frame.shape
                even = _even(frame)
                writer = imageio_ffmpeg.write_frames(
                    str(path),
                    (even.shape[1], even.shape[0]),
                    fps=fps,
                    codec="libx264",
                    pix_fmt_in="rgb24",
                    pix_fmt_out="yuv420p",
                    quality=None,
                    macro_block_size=1,
                    ffmpeg_log_level="error",
                    output_params=list(_ENCODER),
                )
                writer.send(None)
            if frame.shape != shape:
                raise ValueError(f"frame {count} has shape {frame.shape}, the first one had {shape}")
            writer.send(_even(frame))
            count += 1
    finally:
        if writer is not None:
            writer.close()
    if count == 0:
        raise ValueError("a video needs at least one frame")
    return count


_ENCODER: Final = (
    *("-preset", "medium", "-crf", "20", "-threads", "1"),
    # Players start before the whole file is there; nothing in it depends on when or by what it was written.
    *("-movflags", "+faststart", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"),
)


def _even(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(frame)
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _candidates(asked: str) -> tuple[str, ...]:
    usual = ("glfw",) if sys.platform == "darwin" else ("egl", "osmesa")
    return (asked, *(b for b in usual if b != asked)) if asked in ("egl", "osmesa", "glfw") else usual


def _probe(backend: str) -> str | None:
    """None if a process of its own could draw with `backend`, else why not, in one line."""
    environment = {**os.environ, "MUJOCO_GL": backend}
    environment.pop("PYOPENGL_PLATFORM", None)
    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__, backend],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"nothing drawn within {PROBE_TIMEOUT_S:.0f} s"
    except OSError as error:
        return f"the trial could not be started: {error}"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"the trial was killed by signal {-done.returncode}"
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else f"the trial ended with status {done.returncode}"


@cache
def _put_in_place(backend: str) -> None:
    os.environ["MUJOCO_GL"] = backend
    os.environ.pop("PYOPENGL_PLATFORM", None)
    if backend == "osmesa":
        _load_osmesa()


def _load_osmesa() -> None:
    """Loads libOSMesa, from `osmesa_folders` if it is there, with whatever it needs and the system lacks.

    PyOpenGL asks for it by name only; a library that is loaded already answers to its name.
    """
    libraries = {
        path.name: path
        for folder in osmesa_folders()
        if folder.is_dir()
        for path in sorted(folder.rglob("lib*.so*"))
        if path.is_file()
    }
    name = next((name for name in sorted(libraries) if name.startswith("libOSMesa.so")), None)
    if name is None:
        _need_system_osmesa()
        return
    # Mesa's own part has to be of the same build as libOSMesa, whatever the system has.
    for mesa in (each for each in sorted(libraries) if each.startswith("libglapi.so")):
        ctypes.CDLL(str(libraries[mesa]), ctypes.RTLD_GLOBAL)
    _load(name, libraries)


def _need_system_osmesa() -> None:
    for suffix in ("", ".8", ".6"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(f"libOSMesa.so{suffix}", ctypes.RTLD_GLOBAL)
            return
    raise RenderingUnavailable("libOSMesa.so was not found")


def _load(name: str, libraries: dict[str, Path]) -> None:
    while True:
        try:
            ctypes.CDLL(str(libraries[name]), ctypes.RTLD_GLOBAL)
        except OSError as error:
            missing = re.match(r"(\S+): cannot open shared object file", str(error))
            if missing is None or missing[1] == name or missing[1] not in libraries:
                raise RenderingUnavailable(f"{libraries[name]} does not load: {error}") from error
            _load(missing[1], libraries)
        else:
            return


_SCENE: Final = """
<mujoco><worldbody>
  <light pos="0 0 3"/><geom type="box" size=".3 .3 .3" rgba="1 .2 .1 1"/>
</worldbody></mujoco>
"""


def _try_backend(backend: str) -> None:
    """Draws a box of 32 x 32 pixels; raises if it does not show."""
    _put_in_place(backend)
    import mujoco

    model = mujoco.MjModel.from_xml_string(_SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = mujoco.Renderer(model, 32, 32)
    try:
        renderer.update_scene(data)
        if np.ptp(renderer.render()) == 0:
            raise RenderingUnavailable("the frame is empty")
    finally:
        renderer.close()


if __name__ == "__main__":
    _try_backend(sys.argv[1])
