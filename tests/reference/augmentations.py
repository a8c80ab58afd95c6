"""Image transforms written out pixel by pixel, for one image (C, H, W) as a numpy array."""

import colorsys

import numpy as np

LUMA = np.array([0.2989, 0.587, 0.114])


def resized_crop(image: np.ndarray, box: list[int], flip: bool, size: tuple[int, int]) -> np.ndarray:
    """Antialiased bilinear resize of the box (top, left, height, width), then a mirror image."""
    top, left, height, width = box
    crop = image[:, top : top + height, left : left + width]
    out = np.zeros((len(image), *size))
    for i in range(size[0]):
        for j in range(size[1]):
            total = 0.0
            for y in range(height):
                for x in range(width):
                    weight = triangle(i, y, height / size[0]) * triangle(j, x, width / size[1])
                    out[:, i, j] += weight * crop[:, y, x]
                    total += weight
            out[:, i, j] /= total
    return out[:, :, ::-1] if flip else out


def triangle(target: int, source: int, scale: float) -> float:
    return max(0.0, 1 - abs(source + 0.5 - (target + 0.5) * scale) / max(scale, 1.0))


def affine(image: np.ndarray, angle: float, shift: tuple[float, float], scale: float, shear: float) -> np.ndarray:
    """Each target pixel looks up where it came from, by inverting rotation @ shear * scale and the shift."""
    _, height, width = image.shape
    turn, slant = np.radians(angle), np.tan(np.radians(shear))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    inverse = np.linalg.inv(scale * rotation @ np.array([[1, -slant], [0, 1]]))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.zeros(image.shape)
    for i in range(height):
        for j in range(width):
            x, y = inverse @ (np.array([j, i]) - centre - shift) + centre
            for yy in (int(np.floor(y)), int(np.floor(y)) + 1):
                for xx in (int(np.floor(x)), int(np.floor(x)) + 1):
                    if 0 <= yy < height and 0 <= xx < width:
                        out[:, i, j] += (1 - abs(y - yy)) * (1 - abs(x - xx)) * image[:, yy, xx]
    return out


def gray(image: np.ndarray) -> np.ndarray:
    return np.tensordot(LUMA, image, 1)


def recolor(
    image: np.ndarray,
    factors: tuple[float, float, float],
    turns: float,
    order: list[int],
    grayscale: bool,
    exact: bool,
) -> np.ndarray:
    """Brightness, contrast, saturation and hue in an order; exact: in HSV and with a clamp after each, else neither."""
    brightness, contrast, saturation = factors
    for change in order:
        if change == 0:
            image = brightness * image
        elif change == 1:
            image = contrast * image + (1 - contrast) * gray(image).mean()
        elif change == 2:
            image = saturation * image + (1 - saturation) * gray(image)
        else:
            pixels = image.reshape(3, -1).T
            image = np.array([(turn_hsv if exact else turn_cube)(pixel, turns) for pixel in pixels]).T.reshape(image.shape)
        if exact:
            image = image.clip(0, 1)
    if grayscale:
        image = np.broadcast_to(gray(image), image.shape)
    return image.clip(0, 1)


def turn_hsv(pixel: np.ndarray, turns: float) -> tuple[float, float, float]:
    hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
    return colorsys.hsv_to_rgb((hue + turns) % 1.0, saturation, value)


def turn_cube(pixel: np.ndarray, turns: float) -> np.ndarray:
    """Rodrigues' rotation about the gray diagonal from red towards green, then a shift along it back to the old luma."""
    axis, angle = np.ones(3) / np.sqrt(3), 2 * np.pi * turns
    turned = np.cos(angle) * pixel + np.sin(angle) * np.cross(axis, pixel) + (1 - np.cos(angle)) * (axis @ pixel) * axis
    return turned + (LUMA @ (pixel - turned)) / LUMA.sum()


def blur(image: np.ndarray, sigma: float, radius: int) -> np.ndarray:
    """Every pixel is the Gaussian mean of its square neighbourhood in the mirrored image."""
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2))
    padded = np.pad(image, ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
    out = np.zeros(image.shape)
    for i in range(image.shape[1]):
        for j in range(image.shape[2]):
            window = padded[:, i : i + 2 * radius + 1, j : j + 2 * radius + 1]
            out[:, i, j] = (weights / weights.sum() * window).sum((1, 2))
    return out
