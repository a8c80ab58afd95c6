"""ZooD: rankings, choices and selections that never see the domain held out."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from scipy.stats import kendalltau
from torch import Tensor, nn

from genviews import data, encoders, metrics
from genviews.data import ArrayImages, DomainImages
from genviews.errors import DataError, NonFiniteError, OptionError, ShapeError
from genviews.evaluation import ZooOptions, encode, zoo
from genviews.evaluation.ood import probe_out
from genviews.evaluation.zoo import hold_out, transferability

CLASSES, DOMAINS, EACH = 4, 3, 30
LABELS = torch.arange(CLASSES).repeat(EACH * DOMAINS)
OF = torch.arange(DOMAINS).repeat_interleave(EACH * CLASSES)
IMAGES = ArrayImages(torch.zeros(len(LABELS), 1, 8, 8, dtype=torch.uint8), LABELS, tuple("abcd"))
DATA = DomainImages(IMAGES, OF, ("x", "y", "z"))


def features(signal: float, shift: float, dim: int = 8, seed: int = 0) -> Tensor:
    """Classes `signal` apart in four dimensions, domains `shift` apart in all."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(LABELS), dim, generator=generator)
    moved = torch.randn(DOMAINS, dim, generator=generator)[OF]
    return noise + shift * moved + signal * nn.functional.pad(nn.functional.one_hot(LABELS).float(), (0, dim - CLASSES))


ZOO = {
    "good": features(3, 0.1),
    "weak": features(1, 0.1, seed=1),
    "unstable": features(1, 2.0, seed=2),
    "none": features(0, 0.1, seed=3),
}


def test_features_of_classes_are_discriminable_and_those_that_stay_are_stable() -> None:
    found = {name: transferability(value, LABELS, OF) for name, value in ZOO.items()}
    assert found["good"].discriminability > found["weak"].discriminability > found["none"].discriminability
    assert found["unstable"].stability < found["none"].stability - 0.3
    assert all(one.score == pytest.approx(one.discriminability + one.stability) for one in found.values())


def test_transferability_leaves_each_domain_out() -> None:
    found = transferability(ZOO["weak"], LABELS, OF, 0.3)
    together = metrics.evidence(ZOO["weak"], LABELS).log_likelihood
    discriminability, stability = 0.0, 0.0
    for domain in range(3):
        new = domain == OF
        old = ~new
        alone = metrics.evidence(ZOO["weak"][old], LABELS[old]).log_likelihood
        discriminability += float((together - alone).sum()) / (CLASSES * EACH * CLASSES) / 3
        stability += metrics.feature_stability(ZOO["weak"][old], ZOO["weak"][new], 0.3) / 3
    assert (found.discriminability, found.stability) == pytest.approx((discriminability, stability))


def test_the_domain_held_out_changes_its_accuracies_alone() -> None:
    before = hold_out(ZOO, DATA, 2)
    garbled = {name: value.clone() for name, value in ZOO.items()}
    for value in garbled.values():
        value[OF == 2] = 50 * torch.randn(EACH * CLASSES, value.shape[1], generator=torch.Generator().manual_seed(9))
    after = hold_out(garbled, DATA, 2)
    assert (before.scores, before.chosen, before.kept) == (after.scores, after.chosen, after.kept)
    assert before.accuracy != after.accuracy and before.selection != after.selection


def test_a_fold_is_what_its_parts_are() -> None:
    options = ZooOptions(top=2, trials=2, seed=4)
    fold = hold_out(ZOO, DATA, 1, options)
    seen = OF != 1
    assert fold.scores["weak"] == transferability(ZOO["weak"][seen], LABELS[seen], OF[seen])
    ranked = sorted(ZOO, key=lambda name: fold.scores[name].score, reverse=True)
    assert fold.chosen == ranked[:2] and fold.single == fold.accuracy[ranked[0]] and fold.domain == "y"

    def accuracy(value: Tensor) -> float:
        return sum(probe_out(value, DATA, 1, seed).top1 for seed in (4, 5)) / 2

    both = torch.cat([ZOO[name] for name in fold.chosen], 1)
    kept = metrics.feature_gates(both[seen], LABELS[seen]) > 0.5
    assert 0 < kept.sum() < both.shape[1]
    assert (fold.ensemble, fold.selection) == pytest.approx((accuracy(both), accuracy(both[:, kept])))
    assert fold.kept == pytest.approx(
        {fold.chosen[0]: float(kept[:8].float().mean()), fold.chosen[1]: float(kept[8:].float().mean())}
    )
    expected = kendalltau([fold.scores[name].score for name in ZOO], [fold.accuracy[name] for name in ZOO]).statistic
    assert fold.tau == pytest.approx(expected)


def test_a_zoo_is_the_mean_of_its_folds_from_best_to_worst() -> None:
    found = zoo(ZOO, DATA, ZooOptions(top=2, trials=1))
    assert found == zoo(ZOO, DATA, ZooOptions(top=2, trials=1))
    assert [fold.domain for fold in found.folds] == ["x", "y", "z"]
    assert found.tau == pytest.approx(sum(fold.tau for fold in found.folds) / 3)
    assert found.accuracy["good"] == pytest.approx(sum(fold.accuracy["good"] for fold in found.folds) / 3)
    scores = [score.score for score in found.scores.values()]
    assert scores == sorted(scores, reverse=True) and {*found.scores} == {*ZOO}
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["tau"] == found.tau


def test_encoders_that_are_alike_have_no_order_and_noise_keeps_one_feature() -> None:
    same = {"a": ZOO["none"], "b": ZOO["none"]}
    fold = hold_out(same, DATA, 0, ZooOptions(top=5, trials=1))
    assert fold.tau == 0 and {*fold.chosen} == {"a", "b"} and sum(fold.kept.values()) > 0


def test_features_are_extracted_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = encoders.Encoder(in_channels=1, width=2).eval()
    images = replace(IMAGES, images=torch.randint(0, 256, IMAGES.images.shape, dtype=torch.uint8))
    found = DomainImages(images, OF, DATA.domain_names)
    first = encode("one", encoder, found, tmp_path)
    torch.testing.assert_close(first, encoder(images.images.float() / 255).detach())
    (kept,) = tmp_path.iterdir()
    time = kept.stat().st_mtime_ns
    assert encode("one", encoder, found, tmp_path).equal(first) and kept.stat().st_mtime_ns == time
    with torch.no_grad():
        encoder.backbone[0].weight += 1
    assert not encode("one", encoder, found, tmp_path).equal(first) and len([*tmp_path.iterdir()]) == 2
    assert not encode("one", encoder, DATA, tmp_path).equal(encode("one", encoder, found, tmp_path))


def test_each_encoder_is_fed_its_own_size(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    for domain in ("x", "y"):
        for name in ("a", "b"):
            (tmp_path / domain / name).mkdir(parents=True)
            pixels = torch.randint(0, 256, (24, 24, 3), dtype=torch.uint8, generator=generator)
            Image.fromarray(pixels.numpy()).save(tmp_path / domain / name / "0.png")
    found = data.domains(tmp_path, 6)
    for size in (None, 12):
        encoder = encoders.Encoder(image_size=size, width=2).eval()
        images = data.domains(tmp_path, size or 6).images[torch.arange(4)][0]
        torch.testing.assert_close(encode("one", encoder, found), encoder(images.float() / 255).detach())


class Broken(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        features = images.flatten(1)[:, :3].clone()
        features[-1, 0] = math.nan
        return features


def test_encoders_that_cannot_be_used_are_named() -> None:
    with pytest.raises(NonFiniteError, match=r"encoder odd: sample \d+ has NaN or infinite features.*leave it out of the zoo"):
        encode("odd", Broken(), DATA)
    with pytest.raises(ShapeError, match=r"encoder vit cannot take images \(1, 8, 8\) .*leave it out, or set image_size"):
        encode("vit", encoders.Encoder("test_vit", 1), DATA)
    with pytest.raises(ShapeError, match=r"encoder four cannot take images \(1, 8, 8\)"):
        encode("four", nn.Conv2d(4, 4, 1), DATA)


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(OptionError, match="the zoo holds good; a ranking takes two or more"):
        zoo({"good": ZOO["good"]}, DATA)
    two = DomainImages(IMAGES, OF.clamp(max=1), ("x", "y"))
    with pytest.raises(DataError, match="holds domains x, y; ranking without the one held out takes three"):
        zoo(ZOO, two)
    with pytest.raises(DataError, match="weak has features of 7 images, of which there are 360"):
        zoo({**ZOO, "weak": ZOO["weak"][:7]}, DATA)
    with pytest.raises(DataError, match="is alone; to leave one"):
        transferability(ZOO["good"], LABELS, torch.zeros_like(OF))
    with pytest.raises(OptionError, match="top is 0; it must be positive"):
        ZooOptions(top=0)
    with pytest.raises(OptionError, match=r"shrinkage is 2\.0"):
        zoo(ZOO, DATA, ZooOptions(shrinkage=2.0))
