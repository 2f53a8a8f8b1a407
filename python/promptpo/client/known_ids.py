"""The environments that come with the fleet, for gymnasium's registry; a test compares the sidecar's."""

from __future__ import annotations

from typing import Final

_MUJOCO: Final = "Ant-v5 HalfCheetah-v5 Hopper-v5 Humanoid-v5 InvertedDoublePendulum-v5 Swimmer-v5 Reacher-v5"
_METAWORLD: Final = """
assembly-v3 basketball-v3 bin-picking-v3 box-close-v3 button-press-topdown-v3
button-press-topdown-wall-v3 button-press-v3 button-press-wall-v3 coffee-button-v3 coffee-pull-v3
coffee-push-v3 dial-turn-v3 disassemble-v3 door-close-v3 door-lock-v3 door-open-v3 door-unlock-v3
hand-insert-v3 drawer-close-v3 drawer-open-v3 faucet-open-v3 faucet-close-v3 hammer-v3
handle-press-side-v3 handle-press-v3 handle-pull-side-v3 handle-pull-v3 lever-pull-v3
pick-place-wall-v3 pick-out-of-hole-v3 pick-place-v3 plate-slide-v3 plate-slide-side-v3
plate-slide-back-v3 plate-slide-back-side-v3 peg-insert-side-v3 peg-unplug-side-v3 soccer-v3
stick-push-v3 stick-pull-v3 push-v3 push-wall-v3 push-back-v3 reach-v3 reach-wall-v3 shelf-place-v3
sweep-into-v3 sweep-v3 window-open-v3 window-close-v3
"""
_POINTMAZE: Final = "PointMaze_Large-v3 PointMaze_Large_Diverse_G-v3"
_NOISEWORLD: Final = (
    "NoiseWorld-0 NoiseWorld-1 NoiseWorld-2 NoiseWorld-3 NoiseWorld-4 NoiseWorld-5 NoiseWorld-6"
)

KNOWN_IDS: Final = tuple(f"{_MUJOCO} {_METAWORLD} {_POINTMAZE} {_NOISEWORLD}".split())
"""By family."""
