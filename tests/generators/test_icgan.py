import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reference.biggan import linear, render, their_state

from genviews.errors import CheckpointError, DataError, OptionError, ShapeError, UnsafeFileError
from genviews.generators import load, save
from genviews.generators.icgan import ICGAN

FEATURES = torch.rand(4, 2048, generator=torch.Generator().manual_seed(2))
LABELS = torch.tensor([3, 6, 0, 3])
LATENTS = torch.randn(3, 12, generator=torch.Generator().manual_seed(1))
INDICES = torch.tensor([2, 0, 3])
CONFIG = {"BN_eps": 2e-3, "SN_eps": 1e-6, "hier": True, "G_shared": True, "G_shared_feat": True, "instance_cond": True}


def written(folder: Path, state: Any, **options: Any) -> Path:
    torch.save(state, folder / "G_ema_best0.pth")
    torch.save({"best_FID": 41.7, "config": CONFIG | options}, folder / "state_dict_best0.pth")
    return folder / "G_ema_best0.pth"


def instance_only(**shape: Any) -> dict[str, torch.Tensor]:
    return their_state([16, 16, 8], 4, features=(2048, 6), conditions=4 + 6, **shape)


def by_class(shared: int = 10) -> dict[str, torch.Tensor]:
    return their_state([16, 16, 8], 4, shared=shared, features=(2048, 6), conditions=4 + shared + 6)


def test_agrees_with_the_original_code(shared: Path) -> None:
    folder = shared / "fixtures" / "icgan_biggan"
    recorded = {name: torch.from_numpy(array) for name, array in np.load(folder / "io.npz").items()}
    generator = load(folder)
    assert isinstance(generator, ICGAN)
    generator = generator.with_instances(3 * recorded["feats"])
    instances = torch.arange(3)
    torch.testing.assert_close(generator.embed(instances), recorded["out_y"], rtol=1e-5, atol=1e-6)
    for condition, theirs in ((instances, "out_image"), (instances.roll(1), "out_image_feat_swapped")):
        torch.testing.assert_close(generator(recorded["z"], condition) * 2 - 1, recorded[theirs], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("beside", [True, False], ids=["with options", "without"])
@pytest.mark.parametrize("classes", [True, False], ids=["classes and instances", "instances"])
def test_both_kinds_agree_with_the_naive_computation(classes: bool, beside: bool, tmp_path: Path) -> None:
    state = by_class() if classes else instance_only()
    path = written(tmp_path, state, class_cond=classes)
    if not beside:
        (tmp_path / "state_dict_best0.pth").unlink()
    generator = load(path).with_instances(FEATURES, LABELS)
    y = linear(state, "shared_feat", FEATURES[INDICES] / FEATURES[INDICES].norm(dim=1, keepdim=True))
    if classes:
        y = torch.cat([state["shared.weight"][LABELS[INDICES]], y], dim=1)
    expected = render(state, LATENTS, y, eps=2e-3 if beside else 1e-5)
    assert generator.num_conditions == 4 and expected.std() > 0.1
    torch.testing.assert_close(generator(LATENTS, INDICES) * 2 - 1, expected, rtol=1e-4, atol=1e-5)


def test_options_tell_apart_what_the_widths_do_not(tmp_path: Path) -> None:
    state = their_state([16, 16, 8], 4, shared=6, features=(2048, 6), conditions=4 + 6)
    instances = load(written(tmp_path, state, class_cond=False))
    classes = load(written(tmp_path, state, class_cond=True, instance_cond=False))
    assert isinstance(instances, ICGAN) and classes.num_conditions == 7


def test_features_without_an_embedding(tmp_path: Path) -> None:
    state = their_state([8, 8], 2, features=None, conditions=2 + 2048, attention=())
    generator = load(written(tmp_path, state, class_cond=False)).with_instances(FEATURES)
    expected = render(state, LATENTS[:, :4], F.normalize(FEATURES[INDICES]), eps=2e-3)
    torch.testing.assert_close(generator(LATENTS[:, :4], INDICES) * 2 - 1, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classes", [True, False])
def test_a_saved_one_keeps_its_instances(classes: bool, tmp_path: Path) -> None:
    without = load(written(tmp_path, by_class() if classes else instance_only()))
    generator = without.with_instances(FEATURES, LABELS)
    assert generator.net.linear.weight is without.net.linear.weight and without.num_conditions is None
    assert not generator.training
    save(generator, tmp_path / "G")
    again = load(tmp_path / "G")
    assert again.num_conditions == 4
    torch.testing.assert_close(again(LATENTS, INDICES), generator(LATENTS, INDICES), rtol=0, atol=0)
    other = again.with_instances(FEATURES[:2], LABELS[:2])
    assert other.num_conditions == 2 and again.num_conditions == 4
    other.double()
    assert other(LATENTS.double(), INDICES % 2).dtype == torch.float64
    assert {tensor.dtype for tensor in again.net.state_dict().values() if tensor.is_floating_point()} == {torch.float64}
    save(without, tmp_path / "none")
    with pytest.raises(OptionError, match="with_instances"):
        load(tmp_path / "none")(LATENTS)


def test_stored_instances_of_the_original_project(tmp_path: Path) -> None:
    generator = load(written(tmp_path, by_class(), class_cond=True))
    expected = generator.with_instances(FEATURES, LABELS)(LATENTS, INDICES)
    file = tmp_path / "stored_instances.npy"
    for labels in (LABELS.numpy(), LABELS.tolist(), LABELS.numpy().astype(object), LABELS.numpy()[:, None]):
        paths = [f"n0{i}.JPEG" for i in range(4)]
        np.save(file, np.array({"instance_features": FEATURES.numpy(), "labels": labels, "image_path": paths}))
        torch.testing.assert_close(generator.with_instances(file)(LATENTS, INDICES), expected, rtol=0, atol=0)
    np.save(file, FEATURES.numpy())
    torch.testing.assert_close(generator.with_instances(file, LABELS)(LATENTS, INDICES), expected, rtol=0, atol=0)


class Call:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def test_instances_that_cannot_be(tmp_path: Path) -> None:
    generator = load(written(tmp_path, by_class(), class_cond=True))
    for features, labels, error, message in (
        (FEATURES[:, :512], LABELS, ShapeError, r"features \(4, 512\); this generator takes \(N, 2048\)"),
        (FEATURES[0], LABELS, ShapeError, r"features \(2048,\)"),
        (FEATURES[:0], LABELS[:0], ShapeError, r"features \(0, 2048\)"),
        (FEATURES, None, OptionError, r"conditioned on classes too; give the instances' labels"),
        (FEATURES, LABELS[:3], ShapeError, r"labels are \(3,\) for 4 instances"),
        (FEATURES, LABELS + 4, OptionError, "labels are from 4 to 10; the classes are 0 to 6"),
    ):
        with pytest.raises(error, match=message):
            generator.with_instances(features, labels)
    for condition in (None, INDICES):
        with pytest.raises(OptionError, match=r"no instances to be conditioned on; give it some: with_instances\(features\)"):
            generator(LATENTS, condition)
    file = tmp_path / "stored.npy"
    for content, whole, error, message in (
        ({"instance_features": Call()}, True, UnsafeFileError, "would call"),
        ({"instance_features": FEATURES.numpy()}, False, CheckpointError, "truncated or no checkpoint"),
        ({"instance_features": [[1.0], [2.0, 3.0]]}, True, CheckpointError, "does not fit what it says"),
        ({"center_examples": FEATURES.numpy()}, True, DataError, "holds no instance_features"),
    ):
        np.save(file, np.array(content))
        file.write_bytes(file.read_bytes()[: None if whole else -100])
        with pytest.raises(error, match=message) as caught:
            generator.with_instances(file)
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_it_compiles_whole() -> None:
    generator = ICGAN(None, 16, 4, 5, 3, channels=(8, 8), attention=(), latent_dim=4).frozen()
    generator = generator.with_instances(FEATURES[:, :16], LABELS % 5)
    torch._dynamo.reset()
    compiled = torch.compile(generator, backend="aot_eager", fullgraph=True)
    latents = LATENTS[:, :4]
    torch.testing.assert_close(compiled(latents, INDICES), generator(latents, INDICES), rtol=1e-4, atol=1e-5)
