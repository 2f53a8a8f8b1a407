"""Pictures of environments: PNG to pixels. Needs Pillow, which only those who render have to install."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from promptpo.client.errors import FleetError


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    """The picture, `(height, width, 3) uint8`."""
    try:
        from PIL import Image
    except ImportError as error:
        raise FleetError(
            "PRECONDITION_FAILED", "rendering needs Pillow to read pictures: pip install 'promptpo[render]'"
        ) from error
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)
