"""3D Shapes (Burgess & Kim, 2018), rendered: an object in the corner of a room, seen by a camera that orbits it.

A pixel is the mean over its rays of shade times colour, and a ray's shade depends on scale, shape and orientation alone. So each
of those 480 geometries is ray-cast once, into the shades of floor, walls, object and sky, and an image is their coloured sum.
"""

import colorsys
import math
from functools import cache, partial, reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import OptionError
from .factor_dataset import FactorDataset, unravel

FACTORS = {"floor_hue": 10, "wall_hue": 10, "object_hue": 10, "scale": 8, "shape": 4, "orientation": 15}

SIZES = range(16, 129)
RAYS = 4
"""Along each side of a pixel."""

EYE, TARGET = (0.0, 3.0, 6.0), (0.0, 0.8, 0.0)
"""Where the camera is at orientation 0, and what it looks at: y is up, and the floor is y = 0."""
FIELD_OF_VIEW = 27.0
"""Degrees."""
WALL_DISTANCE, WALL_HEIGHT = 2.6, 1.8
WALL_SHADES = (1.0, 0.78)
FLOOR_SHADE = 0.88
SKY = (0.75, 0.88, 1.0)
LIGHT = (0.36, 0.8, 0.48)
"""Towards it, a unit vector; it stays with the room."""
AMBIENT = 0.4
"""The object's shade where it faces away from the light; 1 is that where it faces it."""


class Span(NamedTuple):
    """Where along rays a convex solid begins and ends (nowhere if it ends before), and its normal (3, ...) where it begins."""

    enter: Tensor
    leave: Tensor
    normal: Tensor

    @property
    def hit(self) -> Tensor:
        return self.enter < self.leave


def _slab(origin: Tensor, ray: Tensor, axis: int, low: float, high: float) -> Span:
    """What lies between two planes across an axis."""
    ends = torch.stack([(low - origin[axis]) / ray[axis], (high - origin[axis]) / ray[axis]])
    normal = torch.zeros(3, *ends.shape[1:])
    normal[axis] = -ray[axis].sign()
    return Span(ends.amin(0), ends.amax(0), normal)


def _ball(origin: Tensor, ray: Tensor, radius: float) -> Span:
    """A ball about 0; a tube along an axis that origin and ray have no component of."""
    a, b, c = (ray * ray).sum(0), (ray * origin).sum(0), (origin * origin).sum(0) - radius**2
    square = b * b - a * c
    root = square.clamp(min=0).sqrt().where(square > 0, -math.inf)
    enter = (-b - root) / a
    return Span(enter, (root - b) / a, (origin + enter * ray) / radius)


def _both(first: Span, second: Span) -> Span:
    """The intersection of two solids."""
    normal = torch.where(first.enter > second.enter, first.normal, second.normal)
    return Span(torch.maximum(first.enter, second.enter), torch.minimum(first.leave, second.leave), normal)


def _either(first: Span, second: Span) -> Span:
    """The union, convex too, of two solids; it ends where the one ends that is met first."""
    nearer = first.hit & ~(second.hit & (second.enter < first.enter))
    return Span(*(torch.where(nearer, one, other) for one, other in zip(first, second, strict=True)))


def _raised(origin: Tensor, height: float) -> Tensor:
    """The origin as seen from a point above 0."""
    return origin - torch.tensor([0, height, 0]).view(3, 1, 1)


def _cube(origin: Tensor, ray: Tensor) -> Span:
    return reduce(_both, (_slab(origin, ray, 0, -0.5, 0.5), _slab(origin, ray, 1, 0, 1), _slab(origin, ray, 2, -0.5, 0.5)))


def _tube(origin: Tensor, ray: Tensor, radius: float, low: float, high: float) -> Span:
    flat = torch.tensor([1, 0, 1]).view(3, 1, 1)
    return _both(_ball(origin * flat, ray * flat, radius), _slab(origin, ray, 1, low, high))


def _cylinder(origin: Tensor, ray: Tensor) -> Span:
    return _tube(origin, ray, 0.55, 0, 1.1)


def _sphere(origin: Tensor, ray: Tensor) -> Span:
    return _ball(_raised(origin, 0.6), ray, 0.6)


def _capsule(origin: Tensor, ray: Tensor) -> Span:
    ends = (_ball(_raised(origin, height), ray, 0.4) for height in (0.4, 1.1))
    return reduce(_either, ends, _tube(origin, ray, 0.4, 0.4, 1.1))


SHAPES = (_cube, _cylinder, _sphere, _capsule)


def _rays(size: int) -> Tensor:
    """Those of the camera at orientation 0, float32 (3, 1, (size * RAYS)^2)."""
    right = torch.tensor([1.0, 0, 0])
    forward = normalize(torch.tensor(TARGET) - torch.tensor(EYE), dim=0)
    edge = math.tan(math.radians(FIELD_OF_VIEW) / 2)
    across = ((torch.arange(size * RAYS) + 0.5) * 2 / (size * RAYS) - 1) * edge
    plane = torch.cartesian_prod(-across, across) @ torch.stack([right.cross(forward, dim=0), right])
    return (forward + plane).T[:, None]


def _room(origin: Tensor, rays: Tensor, scale: Tensor) -> Tensor:
    """The shades of an empty room, the floor darkened about 0, float32 (8 scales, 4 surfaces, rays)."""
    half = math.sqrt(0.5)  # the walls' normals are (half, 0, half) and (-half, 0, half)
    approach, ahead = (half * torch.stack([v[2] + v[0], v[2] - v[0]]) for v in (-rays, origin))
    distance, wall = torch.where(approach > 0, (ahead + WALL_DISTANCE) / approach, math.inf).min(0)
    height = origin[1] + distance * rays[1]
    ground = origin - origin[1] / rays[1] * rays
    shadow = 0.6 * torch.exp(-(ground[0] ** 2 + ground[2] ** 2) / (0.7 * scale) ** 2)
    floor = FLOOR_SHADE * (1 - shadow) * (height < 0)
    walls = torch.tensor(WALL_SHADES)[wall] * ((height >= 0) & (height <= WALL_HEIGHT))
    return torch.stack(torch.broadcast_tensors(floor, walls, torch.zeros(()), (height > WALL_HEIGHT).float()), 1)


def _view(rays: Tensor, degrees: float) -> Tensor:
    """The shades along the camera's rays at one orientation, float32 (8 scales, 4 shapes, 4 surfaces, rays)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = torch.tensor([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    origin, rays = (torch.tensordot(turn, v, 1) for v in (torch.tensor(EYE).view(3, 1, 1), rays))
    scale = torch.linspace(0.75, 1.25, FACTORS["scale"])[:, None]
    room, shades = _room(origin, rays, scale), []
    for shape in SHAPES:
        solid = shape(origin / scale, rays)  # which stands on the floor, before all that it hides
        facing = torch.tensordot(torch.tensor(LIGHT), solid.normal, 1).clamp(min=0)
        surfaces = torch.where(solid.hit[:, None], 0, room)
        surfaces[:, 2] = torch.where(solid.hit, AMBIENT + (1 - AMBIENT) * facing, 0)
        shades.append(surfaces)
    return torch.stack(shades, 1)


@cache
def _shades(size: int) -> Tensor:
    """The mean shades in each pixel of floor, walls, object and sky, float32 (480, 4, size^2)."""
    rays = _rays(size)
    degrees = torch.linspace(-30, 30, FACTORS["orientation"]).tolist()
    views = [_view(rays, turn).unflatten(-1, (size, RAYS, size, RAYS)).mean((-3, -1)) for turn in degrees]
    return torch.stack(views, 2).flatten(0, 2).flatten(2)


def _render(size: int, indices: Tensor) -> Tensor:
    hues = 255 * torch.tensor([colorsys.hsv_to_rgb(hue / 10, 1, 1) for hue in range(10)])
    shades = _shades(size)
    *surfaces, geometry = unravel(indices, (10, 10, 10, len(shades)))
    sky = (255 * torch.tensor(SKY)).expand(len(indices), 3)
    colours = torch.stack([*(hues[hue] for hue in surfaces), sky], 2)
    return (colours @ shades[geometry] + 0.5).to(torch.uint8).unflatten(2, (size, size))


def shapes3d(image_size: int = 64) -> FactorDataset:
    """An object in the corner of a room, uint8 (3, image_size, image_size), 480,000 of them, as many factors as the original.

    Hues are 10 values in [0, 0.9], scales 8 in [0.75, 1.25], shapes a cube, cylinder, sphere and capsule, and orientations 15 in
    [-30, 30] degrees. The first image read renders the geometries: seconds at 64 pixels, growing with their number.

    Raises:
        OptionError: If the size is not in SIZES.
    """
    if image_size not in SIZES:
        raise OptionError(f"image_size is {image_size}; shapes3d is rendered at {SIZES[0]} to {SIZES[-1]} pixels a side")
    shape = (3, image_size, image_size)
    return FactorDataset(tuple(FACTORS), tuple(FACTORS.values()), shape, partial(_render, image_size))
