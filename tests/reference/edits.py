"""GenRep's edits written out for one image (C, H, W) as a numpy array: a camera, one pixel after the other."""

import numpy as np


def edit(image: np.ndarray, offsets: list[float], rotation_3d: float, rotation_2d: float, zoom: float, shift: list[float]):
    """Each target pixel is followed back through shift, zoom, turn and the camera's ray to where it meets the tilted image."""
    _, height, width = image.shape
    tilt, turn = np.radians(60 * rotation_3d), np.radians(30 * rotation_2d)
    distance = np.sqrt(height**2 + width**2)
    right = np.array([np.cos(tilt), 0, np.sin(tilt)])  # of the tilted image, in the camera's coordinates
    down = np.array([0.0, 1.0, 0.0])
    centre = np.array([-12 / 256 * width * rotation_3d, 0, distance])
    out, mask = np.zeros(image.shape), np.zeros((1, height, width))
    for i in range(height):
        for j in range(width):
            x = (j + 0.5 - width / 2) - 100 / 256 * width * shift[0]
            y = (i + 0.5 - height / 2) - 100 / 256 * height * shift[1]
            x, y = np.exp(zoom) * x, np.exp(zoom) * y
            x, y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
            u, v, depth = np.linalg.solve(np.stack([right, down, -np.array([x, y, distance])], axis=1), -centre)
            mask[0, i, j] = abs(u) <= width / 2 and abs(v) <= height / 2 and depth > 0
            out[:, i, j] = lookup(image, u + width / 2 - 0.5, v + height / 2 - 0.5) + np.array(offsets) / 2
    return out, mask


def lookup(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear, the outermost pixels going on outside."""
    _, height, width = image.shape
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = min(int(x), width - 2), min(int(y), height - 2)
    box = image[:, top : top + 2, left : left + 2]
    return np.array([top + 1 - y, y - top]) @ box @ np.array([left + 1 - x, x - left])
