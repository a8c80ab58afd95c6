"""`genviews evaluate disentanglement`, on a small npz file of factors."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from genviews import data, encoders, evaluation, generators
from genviews.cli import main
from genviews.generators import MLPVAE


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    grid = torch.cartesian_prod(*(torch.arange(size) for size in (4, 3, 5))).numpy()
    images = np.zeros((len(grid), 8, 8, 1), np.uint8)
    images[:, :4, :4, 0], images[:, 4:, :4, 0], images[:, :, 4:, 0] = (50 * grid[:, :, None, None]).transpose(1, 0, 2, 3)
    np.savez(tmp_path / "squares.npz", images=images, factors=grid)
    return tmp_path / "squares.npz"


def test_the_table_is_printed_and_written(squares: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    run, out = squares.parent / "run", squares.parent / "results" / "a.json"
    encoders.save(encoders.Encoder(in_channels=1, width=2), run / "encoder")
    options = f"--metrics [mig,modularity,dci] --samples 200 --seed 1 --out {out}"
    assert main(f"evaluate disentanglement {run} {squares} {options}".split()) == 0
    expected = evaluation.disentanglement(
        encoders.load(run / "encoder"), data.factors(squares), metrics=("mig", "modularity", "dci"), samples=200, seed=1
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"MIG                   {expected.mig:.3f}"
    names = [line[:22].strip() for line in lines[:-1]]
    assert names == ["MIG", "DCI disentanglement", "DCI completeness", "DCI informativeness", "modularity"]
    assert lines[-1].startswith("8 dimensions") and lines[-1].endswith(f"200 samples; {expected.images} images encoded")
    assert json.loads(out.read_text()) == asdict(expected)


def test_an_encoder_or_a_generator_that_encodes_takes_images_of_its_size(
    squares: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vae = MLPVAE(image_shape=(1, 4, 4), latent_dim=3)
    generators.save(vae, squares.parent / "vae")
    line = f"evaluate disentanglement {squares.parent / 'vae'} {squares} --image_size 4 --metrics [mig] --samples 100"
    assert main(line.split()) == 0
    assert "3 dimensions" in capsys.readouterr().out
    encoders.save(encoders.Encoder(in_channels=1, width=2), squares.parent / "encoder")
    assert main(line.replace("vae", "encoder").split()) == 0
    assert "8 dimensions" in capsys.readouterr().out


def test_an_encoder_that_disco_released(squares: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = encoders.Encoder("disco", in_channels=1, outputs=3, width=4).backbone.state_dict()
    torch.save({f"encoder.{name}": tensor for name, tensor in theirs.items()}, squares.parent / "encoder.pth")
    assert main(f"evaluate disentanglement {squares.parent / 'encoder.pth'} {squares} --metrics [mig] --samples 60".split()) == 0
    assert "3 dimensions; 60 samples" in capsys.readouterr().out


def test_a_generator_without_encoder_is_refused(squares: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "disentanglement", "fashion-stylegan2", str(squares)]) == 2
    assert "has no encoder; name an encoder, a VAE or a flow" in capsys.readouterr().err
