"""Training is a function of its options: on any number of ranks, and after any interruption."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genviews.data import ArrayImages
from genviews.errors import NonFiniteError, OptionError, RunError
from genviews.training.fit import Batches, Learner, Steps, fit
from genviews.views import RealViews

RNG = torch.Generator().manual_seed(0)
IMAGES = ArrayImages(torch.randint(256, (40, 1, 4, 4), generator=RNG).byte(), torch.arange(40), ("a",))
VIEWS = RealViews(IMAGES)


class Mean(Learner):
    """Learns the mean image; a NaN comes at `bad_step`."""

    def __init__(self, bad_step: int | None = None):
        super().__init__()
        self.weight, self.bad_step = nn.Parameter(torch.zeros(16)), bad_step
        self.seen: list[Tensor] = []

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        self.seen.append(seeds)
        loss = (VIEWS(*fetched)[0].flatten(1) - self.weight).square().mean()
        if self.global_step == self.bad_step:
            loss = loss * torch.nan
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1, momentum=0.9)


def run(out: Path | None = None, **options: Any) -> Mean:
    module = Mean(options.pop("bad_step", None))
    fit(module, VIEWS, steps=20, batch_size=8, out=out, log_every=3, checkpoint_every=4, **options)
    return module


def test_accumulated_gradients_make_the_step_of_the_larger_batch(tmp_path: Path) -> None:
    whole, parts = Mean(), Mean()
    history = fit(whole, VIEWS, steps=5, batch_size=8)
    fit(parts, VIEWS, steps=5, batch_size=4, accumulate=2, out=tmp_path, log_every=2, checkpoint_every=3)
    assert len(parts.seen) == 10 and history.steps == 5
    torch.testing.assert_close(parts.weight, whole.weight)
    assert [row["step"] for row in csv.DictReader((tmp_path / "metrics.csv").open())] == ["2", "4", "5"]


def test_accumulating_it_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole = run(accumulate=3)
    with pytest.raises(NonFiniteError, match="at step 14"):
        run(tmp_path, bad_step=14, accumulate=3)
    resumed = run(tmp_path, resume=True, accumulate=3)
    assert len(resumed.seen) == 24  # three batches for each of the 8 steps after the checkpoint of step 12
    assert resumed.weight.equal(whole.weight)


def test_every_sample_once_an_epoch_in_another_order_each() -> None:
    batches = Batches(VIEWS, batch_size=8, seed=0)
    epochs = [torch.cat([batches[5 * epoch + i][0][0].float().mean((1, 2, 3)) for i in range(5)]) for epoch in range(2)]
    assert not epochs[0].equal(epochs[1])
    torch.testing.assert_close(epochs[0].sort().values, epochs[1].sort().values)
    assert len(torch.cat([batches[i][1] for i in range(10)]).unique()) == 80


def test_ranks_share_the_batch_of_one_process() -> None:
    whole = Batches(VIEWS, 8, seed=3)[7]
    parts = [Batches(VIEWS, 8, 3, rank, 2)[7] for rank in range(2)]
    for rank, (fetched, seeds) in enumerate(parts):
        assert seeds.equal(whole[1][rank::2])
        assert fetched[0].equal(whole[0][0][rank::2])


def test_steps_continue_where_they_stopped() -> None:
    assert list(Steps(3, 6)) == [3, 4, 5]
    assert len(Steps(3, 6)) == 6


def test_resumed_after_an_error_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(NonFiniteError, match=r"loss became nan at step 14; the last good checkpoint is .*last\.ckpt; lower"):
        run(tmp_path / "broken", bad_step=14)
    resumed = run(tmp_path / "broken", resume=True)
    assert len(resumed.seen) == 8  # from the checkpoint of step 12
    assert resumed.weight.equal(whole.weight)
    assert (tmp_path / "broken" / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()


def test_an_infinite_gradient_does_not_reach_the_weights(tmp_path: Path) -> None:
    class Exploding(Mean):
        def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
            loss = super().training_step(batch, _)
            return loss + (self.weight - self.weight.detach()).sqrt().sum() if self.global_step == 6 else loss

    module = Exploding()
    with pytest.raises(NonFiniteError, match=r"gradient became (inf|nan) at step 6"):
        fit(module, VIEWS, steps=20, batch_size=8, out=tmp_path, checkpoint_every=4)
    assert module.weight.isfinite().all()
    assert (tmp_path / "metrics.csv").exists()


def test_dropout_is_seeded_by_the_step(tmp_path: Path) -> None:
    class Dropping(Mean):
        def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
            self.log("loss", torch.zeros(()))
            return (nn.functional.dropout(VIEWS(*batch[0])[0].flatten(1), 0.5) - self.weight).square().mean()

    def train(out: Path, steps: int, resume: bool = False) -> Tensor:
        module = Dropping()
        torch.manual_seed(int(torch.randint(1 << 30, ())))  # whatever was drawn before
        fit(module, VIEWS, steps=steps, batch_size=8, out=out, resume=resume, checkpoint_every=4)
        return module.weight.detach()

    whole = train(tmp_path / "whole", 10)
    assert train(tmp_path / "again", 10).equal(whole)
    train(tmp_path / "parts", 6)
    assert train(tmp_path / "parts", 10, resume=True).equal(whole)


def test_training_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    run()
    assert torch.get_rng_state().equal(state)


def test_a_damaged_checkpoint_and_impossible_options_are_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"junk")
    with pytest.raises(RunError, match=r"last\.ckpt cannot be read"):
        run(tmp_path, resume=True)
    with pytest.raises(OptionError, match="precision 'foo'"):
        run(precision="foo")
    with pytest.raises(OptionError, match="log_every is 0; it must be positive"):
        fit(Mean(), VIEWS, steps=1, batch_size=8, log_every=0)
    with pytest.raises(OptionError, match="workers is -1; it must be 0"):
        fit(Mean(), VIEWS, steps=1, batch_size=8, workers=-1)


def test_the_history_has_a_row_every_few_steps_and_at_the_last(tmp_path: Path) -> None:
    run(tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows] == [3, 6, 9, 12, 15, 18, 20]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_a_batch_larger_than_the_source_is_refused() -> None:
    with pytest.raises(OptionError, match="batch_size is 41; with 40 samples"):
        fit(Mean(), VIEWS, steps=1, batch_size=41)


def test_frozen_parts_stay_out_of_the_checkpoint(tmp_path: Path) -> None:
    class Frozen(Mean):
        frozen_parts = ("judge",)

        def __init__(self) -> None:
            super().__init__()
            self.judge = nn.Linear(3, 3).requires_grad_(False)

    fit(Frozen(), VIEWS, steps=5, batch_size=8, out=tmp_path, checkpoint_every=4)
    saved = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert list(saved["state_dict"]) == ["weight"]


def test_killed_in_the_middle_it_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    """A real `genviews pretrain` is killed by SIGKILL; resumed, it leaves the files of the uninterrupted run."""
    command = [sys.executable, "-c", "import sys; from genviews.cli import main; sys.exit(main())", "pretrain", "digits"]
    command += ["--steps", "60", "--batch_size", "32", "--checkpoint_every", "20"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--out", str(tmp_path / "whole")], check=True, env=environment, capture_output=True)
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "killed")], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.json").exists()
    subprocess.run([*command, "--out", str(tmp_path / "killed"), "--resume"], check=True, env=environment, capture_output=True)
    for name in ("model.safetensors", "model.json", "metrics.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
