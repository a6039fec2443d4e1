"""From a rendered scene to the bytes of a JPEG."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from synthetic_people.settings import Difficulty
from synthetic_people.textures import SIZE, tile


def photograph(
    rng: np.random.Generator, image: Float32[np.ndarray, "H W 3"], level: Difficulty
) -> UInt8[np.ndarray, "H W 3"]:
    """Exposure, colour cast, sensor noise and a slight blur; RGB."""
    height, width = image.shape[:2]
    gain = (rng.uniform(0.82, 1.12) * (1.0 + rng.uniform(-0.05, 0.05, 3))).astype(np.float32)
    lift = np.float32(rng.uniform(-0.03, 0.04))
    rows = (int(rng.integers(SIZE)) + np.arange(height)) % SIZE
    columns = (int(rng.integers(SIZE)) + np.arange(width)) % SIZE
    noise = np.float32(level.noise / 255 / 0.4 * rng.uniform(0.3, 1.5)) * tile(0.0)[rows][:, columns]
    shot = np.empty_like(image)
    for channel in range(3):  # numpy is slow on a last axis of three
        shot[:, :, channel] = image[:, :, channel] * gain[channel] + lift + noise
    if rng.random() < 0.3:
        shot = cv2.GaussianBlur(shot, (0, 0), float(rng.uniform(0.4, 0.9)) * height / 256)
    np.clip(shot, 0.0, 1.0, out=shot)
    shot *= 255.0
    shot += 0.5
    return shot.astype(np.uint8)


def encode_jpeg(image: UInt8[np.ndarray, "H W 3"], quality: int) -> bytes:
    """JPEG bytes of an RGB image."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def encode_labels(labels: UInt8[np.ndarray, "H W"]) -> bytes:
    """PNG bytes of a label map."""
    return cv2.imencode(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()
