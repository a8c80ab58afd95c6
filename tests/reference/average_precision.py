"""COCO's average precision by plain loops (Lin et al. 2014; the rules of its evaluation page)."""

import numpy as np

Box = tuple[float, float, float, float]


def overlap(a: Box, b: Box, of_first: bool = False) -> float:
    """Intersection over union, or over the area of `a`."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (areas[0] if of_first else areas[0] + areas[1] - shared)


def average_precision(found: list[list[tuple[float, Box]]], truth: list[list[tuple[Box, bool]]], threshold: float) -> float:
    """AP of one class: (score, box) found, (box, difficult) true, by image; difficult ones are neither missed nor wrong."""
    marks = []
    for image_found, image_truth in zip(found, truth, strict=True):
        taken: set[int] = set()
        for score, box in sorted(image_found, key=lambda pair: -pair[0]):
            candidates = [(overlap(box, other), i) for i, (other, hard) in enumerate(image_truth) if not hard and i not in taken]
            best, index = max(candidates, default=(0.0, -1))
            if best >= threshold:
                taken.add(index)
                marks.append((score, True))
            elif not any(hard and overlap(box, other, of_first=True) >= threshold for other, hard in image_truth):
                marks.append((score, False))
    total = sum(not hard for image_truth in truth for _, hard in image_truth)
    points, right = [], 0
    for position, (_, hit) in enumerate(sorted(marks, key=lambda mark: -mark[0]), start=1):
        right += hit
        points.append((right / total, right / position))
    at = [max((precision for recall, precision in points if recall >= r), default=0.0) for r in np.linspace(0, 1, 101)]
    return float(np.mean(at))
