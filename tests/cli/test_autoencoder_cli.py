"""`genviews autoencoder`: what it writes, that it goes on, and one line for what is wrong."""

import json
from pathlib import Path

import pytest
import torch
from reference.autoencoders import VQGAN_SIZE

from genviews import encoders, generators
from genviews.cli import main

TINY = "--architecture.width 8 --discriminator.width 4 --batch_size 16 --features none"
VQ = "--family vqgan --architecture.multipliers [1,1] --architecture.codes 12 --architecture.code_dim 4"


def error(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(line.split()) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("genviews: error: ")
    return said


def test_a_decoupled_autoencoder_has_a_page_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"autoencoder train digits --decoupled --amount 0.3 --steps 2 {TINY} --architecture.latent_dim 4 --out {tmp_path}/run"
    encoders.save(encoders.Encoder(in_channels=1, width=4), tmp_path / "judge")
    line = line.replace("--features none", f"--features {tmp_path}/judge --samples 50")
    assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert "reconstruction fid" in said and said.splitlines()[-2:] == [f"{tmp_path}/run/report.html", f"{tmp_path}/run"]
    run = tmp_path / "run"
    results = json.loads((run / "results.json").read_text())
    assert results["stage"] == "a decoder for an encoder that is kept" and results["measured"]["posterior_fid"] > 0
    assert json.loads((run / "weak/results.json").read_text())["stage"].endswith("weakened by dropout 0.3")
    page = (run / "report.html").read_text()
    assert page.count("data:image/png") >= 4 and "genviews autoencoder train --config" in page
    before = (run / "model.safetensors").read_bytes()
    assert "--resume" in error(line, capsys)
    assert main([*line.split(), "--resume"]) == 0
    assert (run / "model.safetensors").read_bytes() == before
    assert main(f"evaluate generation {run} digits --features {tmp_path}/judge --samples 50".split()) == 0
    assert "reconstruction error" in capsys.readouterr().out
    assert main(f"report {run}".split()) == 0


def test_simclr_makes_latents(tmp_path: Path) -> None:
    line = (
        f"autoencoder train digits --encoder {{}} --steps 1 --simclr.steps 2 {TINY} --architecture.latent_dim 4 --out {tmp_path}"
    )
    assert main(line.format("simclr").replace(str(tmp_path), f"{tmp_path}/a").split()) == 0
    assert main(line.format(f"{tmp_path}/a").replace(f"--out {tmp_path}", f"--out {tmp_path}/b").split()) == 0
    first, second = (generators.load(tmp_path / name).encode(torch.ones(1, 1, 8, 8)) for name in "ab")
    assert first.equal(second)


def test_a_prior_makes_a_generator_of_a_vqgan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vqgan = generators.VQGAN((1, 8, 8), **VQGAN_SIZE)
    generators.save(vqgan, tmp_path / "vqgan")
    line = f"autoencoder prior {tmp_path}/vqgan digits --steps 1 --features none --architecture.heads 2 --batch_size 8"
    assert main(f"{line} --kind gpt --architecture.width 8 --out {tmp_path}/gpt".split()) == 0
    page = (tmp_path / "gpt/report.html").read_text()
    assert "genviews autoencoder prior --config" in page and "a gpt prior of its codes" in page
    assert main(f"{line} --kind dit --architecture.head_dim 4 --architecture.steps 2 --out {tmp_path}/dit".split()) == 0
    capsys.readouterr()
    assert main(f"generator info {tmp_path}/dit".split()) == 0
    assert capsys.readouterr().out.startswith("LatentDiffusion: latents (64,) -> images (1, 8, 8)")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train nope", "data 'nope' is neither"),
        ("train digits --decoupled --amount 2", "amount is 2.0; it is a fraction between 0 and 1"),
        ("train digits --perceptual here", "perceptual is here, but a vaegan has the discriminator's features"),
        ("train digits --encoder nope", "nope is no file"),
        ("train digits --encoder digits-flow", "the encoder is a RealNVP's; give one of a VAEGAN"),
        ("train digits --decoupled --encoder digits-flow", "leave one of them out"),
        ("train digits --architecture.wings 2", "VAEGAN has no option 'wings'; it has image_shape, latent_dim"),
        ("train digits --family vqgan --architecture.width 9", "width is 9, decoder_width 9; each must be a multiple of 8"),
        ("train digits --encoder simclr --simclr.method byol", "method is 'byol', assimilate None; these latents are of SimCLR"),
        ("train digits --family vqgan --encoder simclr", "encoder is 'simclr', which makes latents of a vaegan"),
        ("train digits --image_size 20", "image_shape is (1, 20, 20); this network's images are square, of 8, 16"),
        ("train digits --steps 0", "steps is 0; it must be positive"),
        ("prior digits-flow digits", "the autoencoder is a RealNVP, whose prior is N(0, I); give a VQGAN"),
        ("prior nope digits", "nope is no file and none of the built-in"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(line: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in error(f"autoencoder {line} --out {tmp_path / 'run'}", capsys)
