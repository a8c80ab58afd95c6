"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # which share the processor; read when torch is first imported
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // int(workers)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded outputs, third-party checkpoints and data that lies beside the checkout of a developer."""
    folder = Path(os.environ.get("GENVIEWS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "fixtures").is_dir():
        pytest.skip(f"{folder} is not here: recorded outputs and third-party checkpoints are compared only where they are")
    return folder
