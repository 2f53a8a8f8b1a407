# mypy: allow-untyped-defs, allow-untyped-calls
import hashlib
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from promptpo.sim import rendering
from promptpo.sim.environments import registry
from promptpo.sim.environments.importing import importing_simulators


@pytest.fixture
def undecided(monkeypatch):
    """As in a process that has not looked for a backend yet."""
    # Set, then removed: what a test's probe leaves in the environment goes with the test.
    for name in ("MUJOCO_GL", "PROMPTPO_GL_PROBED"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    rendering.rendering.cache_clear()
    yield monkeypatch
    rendering.rendering.cache_clear()


def frames(count, height=48, width=64):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return [np.roll(picture, shift, axis=1) for shift in range(count)]


def described(path):
    """What ffmpeg says of the video stream, in one line."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return next(line for line in done.stderr.splitlines() if "Video:" in line)


def test_a_video_has_the_frames_the_size_and_the_same_bytes_each_time(tmp_path):
    hashes = set()
    for name in ("a.mp4", "b.mp4"):
        path = tmp_path / name
        assert rendering.write_mp4(path, frames(12), fps=20) == 12
        hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(hashes) == 1
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert (count, seconds) == (12, pytest.approx(12 / 20, abs=0.01))
    stream = described(tmp_path / "a.mp4")
    assert "h264" in stream
    assert "yuv420p" in stream
    assert " 64x48" in stream


def test_odd_sizes_are_made_even(tmp_path):
    rendering.write_mp4(tmp_path / "odd.mp4", frames(3, 47, 63), fps=10)
    assert " 64x48" in described(tmp_path / "odd.mp4")


def test_a_video_without_frames_or_of_two_sizes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        rendering.write_mp4(tmp_path / "none.mp4", [], fps=10)
    mixed = [*frames(2), *frames(1, 32, 32)]
    with pytest.raises(ValueError, match=r"frame 2 has shape \(32, 32, 3\)"):
        rendering.write_mp4(tmp_path / "mixed.mp4", mixed, fps=10)


def test_rendering_that_is_switched_off_says_so(undecided):
    undecided.setenv("MUJOCO_GL", "disable")
    assert not rendering.can_render()
    assert "MUJOCO_GL=disable" in rendering.render_problem()
    env = registry.make("Hopper-v5")
    env.reset(0)
    with pytest.raises(rendering.RenderingUnavailable, match="switched off"):
        env.render()
    env.close()


def test_where_no_backend_works_each_attempt_and_the_remedy_are_named(undecided):
    undecided.setattr(rendering, "_probe", lambda backend: f"no lib{backend}")
    assert rendering.rendering() == rendering.Rendering(
        None,
        "no OpenGL backend works (egl: no libegl; osmesa: no libosmesa); install libegl1 with "
        "libgl1-mesa-dri, or libosmesa6, or set PROMPTPO_OSMESA to a folder that holds libOSMesa.so",
    )


def test_a_backend_that_works_is_taken_after_one_that_does_not_and_told_to_children(undecided):
    tried = []

    def probe(backend):
        tried.append(backend)
        return {"egl": "no"}.get(backend)

    undecided.setattr(rendering, "_probe", probe)
    undecided.setenv("MUJOCO_GL", "egl")
    assert rendering.rendering() == rendering.Rendering("osmesa", "")
    assert tried == ["egl", "osmesa"]
    rendering.rendering.cache_clear()
    assert rendering.rendering().backend == "osmesa"
    assert tried == ["egl", "osmesa"]


def test_a_trial_that_hangs_or_dies_is_a_reason_and_nothing_more(undecided, tmp_path):
    hangs, dies = tmp_path / "hangs.py", tmp_path / "dies.py"
    hangs.write_text("import time\ntime.sleep(60)\n")
    dies.write_text("import os\nos.kill(os.getpid(), 11)\n")
    undecided.setattr(rendering, "PROBE_TIMEOUT_S", 0.5)
    undecided.setattr(rendering, "__file__", str(hangs))
    assert rendering._probe("egl") == "nothing drawn within 0 s"
    undecided.setattr(rendering, "PROBE_TIMEOUT_S", 30.0)
    undecided.setattr(rendering, "__file__", str(dies))
    assert rendering._probe("egl") == "the trial was killed by signal 11"


def test_a_folder_without_a_library_that_loads_is_a_reason(undecided, tmp_path):
    (tmp_path / "usr" / "lib").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "libOSMesa.so.8").write_bytes(b"not a library")
    undecided.setenv("PROMPTPO_OSMESA", str(tmp_path))
    problem = rendering._probe("osmesa")
    assert problem is not None
    assert "libOSMesa.so.8 does not load" in problem


def test_osmesa_is_looked_for_in_the_checkout_unless_a_folder_is_named(undecided):
    undecided.delenv("PROMPTPO_OSMESA", raising=False)
    checkout = Path(rendering.__file__).resolve().parents[3]
    assert rendering.osmesa_folders() == (checkout / ".promptpo" / "osmesa",)
    undecided.setenv("PROMPTPO_OSMESA", "/opt/mesa")
    assert rendering.osmesa_folders() == (Path("/opt/mesa"),)


def test_what_simulators_print_while_imported_stays_off_stdout(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with importing_simulators():
        print("a banner")  # noqa: T201
    assert (out.getvalue(), err.getvalue()) == ("", "a banner\n")


def test_looking_for_a_backend_while_simulators_are_imported_sees_what_was_asked_for(undecided):
    asked = []

    def probe(backend):
        asked.append(backend)

    undecided.setattr(rendering, "_probe", probe)
    undecided.setenv("MUJOCO_GL", "osmesa")
    stdout = sys.stdout
    with ThreadPoolExecutor(1) as beside, importing_simulators(), importing_simulators():
        assert beside.submit(rendering.rendering).result() == rendering.Rendering("osmesa", "")
    assert asked == ["osmesa"]
    assert os.environ["MUJOCO_GL"] == "osmesa"
    assert sys.stdout is stdout


DRAW = """
import hashlib, numpy as np
from promptpo.sim.environments import registry
from promptpo.sim.environments.importing import importing_simulators
from promptpo.sim import rendering
def episode(id, watched):
    env = registry.make(id)
    env.reset(0)
    out = hashlib.sha256()
    for k in range(6):
        if watched and k % 2:
            frame = env.render()
            assert frame.shape == (480, 480, 3) and frame.dtype == np.uint8 and np.ptp(frame) > 50, id
        step = env.step(np.zeros(env.spec.action.shape))
        out.update(b"".join(f.tobytes() for f in step.observation) + str(step.reward).encode())
    env.close()
    return out.hexdigest()
if rendering.can_render():
    for id in ("HalfCheetah-v5", "button-press-v3"):
        assert episode(id, True) == episode(id, False), id
    print("drawn")
else:
    env = registry.make("HalfCheetah-v5")
    env.reset(0)
    try:
        env.render()
    except rendering.RenderingUnavailable as problem:
        assert "install" in str(problem) and "ModuleNotFound" not in str(problem), problem
        print("refused")
"""


def test_frames_come_where_the_machine_can_draw_change_nothing_and_are_refused_with_a_remedy_elsewhere():
    done = subprocess.run(
        [sys.executable, "-c", DRAW], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout in ("drawn\n", "refused\n")
