"""3D Shapes' scene by sphere tracing: signed distances walked along each ray, normals by finite differences."""

import colorsys
import math

import numpy as np

EYE, TARGET, FIELD_OF_VIEW = np.array([0.0, 3.0, 6.0]), np.array([0.0, 0.8, 0.0]), 27.0
LIGHT = np.array([0.36, 0.8, 0.48])


def distance_to_object(points: np.ndarray, shape: int) -> np.ndarray:
    """Signed distances (n,) from points (n, 3) to the object of scale 1."""
    x, y, z = points.T
    if shape == 0:
        outside = np.abs(points - [0, 0.5, 0]) - 0.5
        return np.linalg.norm(outside.clip(min=0), axis=1) + outside.max(1).clip(max=0)
    if shape == 1:
        across, along = np.hypot(x, z) - 0.55, np.abs(y - 0.55) - 0.55
        return np.minimum(np.maximum(across, along), 0) + np.hypot(across.clip(min=0), along.clip(min=0))
    if shape == 2:
        return np.linalg.norm(points - [0, 0.6, 0], axis=1) - 0.6
    return np.sqrt(x**2 + (y - y.clip(0.4, 1.1)) ** 2 + z**2) - 0.4


def colours(points: np.ndarray, rays: np.ndarray, hues: np.ndarray, shape: int, scale: float) -> np.ndarray:
    """What the rays (n, 3) from `points` (n, 3) see, RGB (n, 3) in [0, 1]."""
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    floor_colour, wall_colour, object_colour = (np.array(colorsys.hsv_to_rgb(hue / 10, 1, 1)) for hue in hues)
    corner = math.sqrt(0.5) * np.array([[1, 0, 1], [-1, 0, 1]])
    points = points.copy()
    step = np.ones(len(points))
    while step.max() > 1e-6:  # never further than the nearest surface
        solid = scale * distance_to_object(points / scale, shape)
        step = np.minimum(np.minimum(points[:, 1], (points @ corner.T + 2.6).min(1)), solid)
        points += step[:, None] * rays
    shades = np.empty_like(points)
    for i, point in enumerate(points):
        surfaces = [point[1], *(corner @ point + 2.6), scale * distance_to_object(point[None] / scale, shape)[0]]
        match int(np.argmin(surfaces)):
            case 0:
                shades[i] = floor_colour * 0.88 * (1 - 0.6 * math.exp(-(point[0] ** 2 + point[2] ** 2) / (0.7 * scale) ** 2))
            case 1 | 2 if point[1] > 1.8:
                shades[i] = 0.75, 0.88, 1.0
            case 1:
                shades[i] = wall_colour
            case 2:
                shades[i] = wall_colour * 0.78
            case _:
                steps = np.concatenate([np.eye(3), -np.eye(3)]) * 1e-5
                ahead, behind = distance_to_object(point / scale + steps, shape).reshape(2, 3)
                normal = (ahead - behind) / np.linalg.norm(ahead - behind)
                shades[i] = object_colour * (0.4 + 0.6 * max(0.0, float(normal @ LIGHT)))
    return shades


def render(factors: list[int], size: int, rays: int) -> np.ndarray:
    """One image, float (3, size, size) in [0, 255], of rays x rays a pixel."""
    turn = math.radians(-30 + 60 * factors[5] / 14)
    rotate = np.array([[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]])
    forward = (TARGET - EYE) / np.linalg.norm(TARGET - EYE)
    up = np.cross([1, 0, 0], forward)
    directions = []
    for row in range(size * rays):
        for column in range(size * rays):
            right, down = ((i + 0.5) / (size * rays) * 2 - 1 for i in (column, row))
            edge = math.tan(math.radians(FIELD_OF_VIEW / 2))
            directions.append(rotate @ (forward + edge * right * np.array([1, 0, 0]) - edge * down * up))
    origins = np.tile(rotate @ EYE, (len(directions), 1))
    seen = colours(origins, np.array(directions), np.array(factors[:3]), factors[4], 0.75 + 0.5 * factors[3] / 7)
    return 255 * seen.reshape(size, rays, size, rays, 3).mean((1, 3)).transpose(2, 0, 1)
