"""Losses against the recorded outputs of other projects."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genviews import losses

Recorded = dict[str, Tensor]


@pytest.fixture(scope="module")
def recorded(shared: Path, request: pytest.FixtureRequest) -> Recorded:
    with np.load(shared / "fixtures" / request.param / "io.npz") as arrays:
        return {name: torch.tensor(array) for name, array in arrays.items()}


def of(fixture: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recorded", [fixture], indirect=True)


def assert_equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=1e-6)


@of("loss_supcon")
@pytest.mark.parametrize("temperature", [0.07, 0.1, 0.5])
@pytest.mark.parametrize(
    ("form", "labels"), [("self", None), ("sup", "labels"), ("pairs", "labels_singletons"), ("mask", "mask")]
)
def test_supcon(recorded: Recorded, form: str, labels: str | None, temperature: float) -> None:
    """The authors multiply by temperature / base_temperature: 1 in `_b1`, else 0.07."""
    features = recorded["features"].requires_grad_()
    labelled = (features, None if labels is None else recorded[labels], temperature)
    loss = losses.supervised_contrastive(*labelled)
    name = f"{form}_T{temperature}"
    assert_equal(loss * temperature, recorded[f"out_{name}_b1"])
    assert_equal(loss * temperature / 0.07, recorded[f"out_{name}"])
    assert_equal(losses.supervised_contrastive(*labelled, symmetric=False) * temperature / 0.07, recorded[f"out_{name}_one"])
    if temperature == 0.1:  # of features that are not l2-normalised inside: what is along them is missing here
        (ours,) = torch.autograd.grad(loss * temperature / 0.07, features)
        theirs = recorded[f"out_grad_{name}"]
        assert_equal(ours, theirs - (theirs * features).sum(-1, keepdim=True) * features)


@of("loss_tsimclr")
@pytest.mark.parametrize(("temperature", "df"), [(0.5, 5), (8, 5), (2, 1), (8, 100)])
def test_t_simclr(recorded: Recorded, temperature: float, df: float) -> None:
    features = recorded["features"].requires_grad_()
    loss = losses.student_t_info_nce(*features.unbind(1), temperature, df)
    assert_equal(loss, recorded[f"out_t_T{temperature}_df{df}"])
    assert_equal(torch.autograd.grad(loss, features)[0], recorded[f"out_grad_t_T{temperature}_df{df}"])


@of("loss_tsimclr")
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_simclr_of_t_simclr(recorded: Recorded, temperature: float) -> None:
    """It multiplies by temperature / 0.07, and adds 1e-6 inside the logarithm, which weighs where the temperature is low."""
    loss = losses.info_nce(*recorded["features"].unbind(1), temperature) * temperature / 0.07
    torch.testing.assert_close(loss, recorded[f"out_simclr_T{temperature}"], rtol=1e-3, atol=0)


@of("loss_lightly")
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_lightly_with_a_bank(recorded: Recorded, temperature: float) -> None:
    """Each call of its loss contrasts with the bank and then stores the second view, l2-normalised."""
    z0, z1 = recorded["z0"].requires_grad_(), recorded["z1"]
    queue = losses.Queue(24, 16)
    queue.load_state_dict({"keys": recorded["bank"], "position": recorded["bank_ptr"]})
    loss = losses.queue_info_nce(z0, z1, queue.keys, temperature)
    assert_equal(loss, recorded[f"out_ntxent_bank_T{temperature}"])
    queue.push(F.normalize(z1, dim=1))
    assert_equal(queue.keys, recorded["out_bank_after_1"])
    assert_equal(queue.position[None], recorded["out_bank_ptr_after_1"])
    (gradient,) = torch.autograd.grad(loss, z0)
    assert_equal(gradient, recorded[f"out_grad_z0_ntxent_bank_T{temperature}"])
    assert_equal(losses.queue_info_nce(z0, z1, queue.keys, temperature), recorded[f"out_ntxent_bank_second_call_T{temperature}"])
    queue.push(F.normalize(z1, dim=1))
    assert_equal(queue.keys, recorded["out_bank_after_2"])
    assert_equal(queue.position[None], recorded["out_bank_ptr_after_2"])


@of("loss_lightly")
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_lightlys_nnclr(recorded: Recorded, temperature: float) -> None:
    """Its negatives are of both views, those of the paper of the other view."""
    p0, p1 = recorded["p0"], recorded["p1"].requires_grad_()
    near0, near1 = (losses.nearest_neighbours(recorded[z], recorded["bank"]) for z in ("z0", "z1"))
    assert_equal(near0, recorded["out_nn_z0"])
    assert_equal(near1, recorded["out_nn_z1"])
    loss = (losses.info_nce(near0, p1, temperature) + losses.info_nce(near1, p0, temperature)) / 2
    assert_equal(loss, recorded[f"out_nnclr_T{temperature}"])
    assert_equal(torch.autograd.grad(loss, p1)[0], recorded[f"out_grad_p1_nnclr_T{temperature}"])


@of("loss_lightly")
def test_lightlys_negative_cosine(recorded: Recorded) -> None:
    z0, z1, p0, p1 = (recorded[name] for name in ("z0", "z1", "p0", "p1"))
    assert_equal(losses.negative_cosine(p0, z1), recorded["out_ncs_p0_z1"])
    for name in ("out_simsiam", "out_symneg"):
        assert_equal((losses.negative_cosine(p0, z1) + losses.negative_cosine(p1, z0)) / 2, recorded[name])


@of("loss_feature_transformation")
@pytest.mark.parametrize(
    ("name", "positive", "negative", "renormalised"),
    [
        ("nomix", None, None, False),
        ("pos_extra_beta", "lam_pos", None, False),
        ("pos_extra_norm", "lam_pos_u", None, True),
        ("neg_inter", None, "lam_neg", False),
        ("posneg", "lam_pos", "lam_neg", False),
        ("posneg_scalar", "lam_pos_scalar", "lam_neg_scalar", True),
    ],
)
def test_feature_transformation(
    recorded: Recorded, name: str, positive: str | None, negative: str | None, renormalised: bool
) -> None:
    """What enters the authors' memory is the key they contrasted."""
    q, k = recorded["q"].requires_grad_(), recorded["k"]
    queue = losses.Queue(20, 16)
    queue.load_state_dict({"keys": recorded["memory"], "position": recorded["index"]})
    queries, keys, negatives = q, k, queue.keys
    if positive:
        queries, keys = losses.extrapolate(q, k, recorded[positive].float())
    if renormalised:
        queries, keys = F.normalize(queries, dim=1), F.normalize(keys, dim=1)
    if negative:
        negatives = losses.interpolate(negatives, recorded["perm"], recorded[negative].float())
    loss = losses.queue_info_nce(queries, keys, negatives, 0.07, normalise=False)
    queue.push(keys)
    assert_equal(loss, recorded[f"out_ce_{name}"])
    positives, others = (queries * keys).sum(1, keepdim=True), queries @ negatives.T
    assert_equal(torch.cat([positives, others], 1) / 0.07, recorded[f"out_logits_{name}"])
    assert_equal(torch.autograd.grad(loss, q)[0], recorded[f"out_grad_q_{name}"])
    assert_equal(queue.keys, recorded[f"out_memory_{name}"])
    assert queue.position == recorded[f"out_index_{name}"]


@of("loss_viewmaker")
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_viewmaker(recorded: Recorded, temperature: float) -> None:
    embeddings = [recorded[name].requires_grad_() for name in ("embs1", "embs2")]
    loss = losses.viewmaker_loss(*embeddings, temperature)
    assert_equal(loss, recorded[f"out_encoder_T{temperature}"])
    for weight in (1.0, 2.5):
        assert_equal(-weight * loss, recorded[f"out_viewmaker_T{temperature}_w{weight}"])
    for number, gradient in enumerate(torch.autograd.grad(loss, embeddings), 1):
        assert_equal(gradient, recorded[f"out_grad{number}_T{temperature}"])


def views_of(recorded: Recorded) -> list[Tensor]:
    """Both views (B, D) and a generated one of each sample (B, 1, D)."""
    return [recorded["z1"], recorded["z2"], recorded["z3"][:, None]]


@of("loss_a2_phymhan")
@pytest.mark.parametrize("setting", ["T0.07_b0.07", "T0.5_b0.07", "T0.2_b0.2"])
@pytest.mark.parametrize(("theirs", "form"), [("simclr_loss", "simclr"), ("essl_loss", "infonce")])
def test_a2_on_supcontrast(recorded: Recorded, theirs: str, form: Any, setting: str) -> None:
    """The authors multiply by temperature / base temperature."""
    views = views_of(recorded)
    temperature, base = (float(number[1:]) for number in setting.split("_"))
    for alpha in (0.5, 1.0):
        loss = losses.multiview(*views, temperature, alpha, form) * temperature / base
        assert_equal(loss, recorded[f"out_sc_{theirs}_pos_append_a{alpha}_{setting}"])
    full = losses.multiview(*views, temperature, form="full") * temperature / base
    assert_equal(full, recorded[f"out_sc_simclr_loss_pos_all_{setting}"])


@of("loss_a2_phymhan")
def test_a2_on_essl(recorded: Recorded) -> None:
    """`a2_diag` subtracts the inner product as it is, which at a temperature of 0.5 is alpha 0.5."""
    views = views_of(recorded)
    assert_equal(losses.multiview(*views, 0.5, 0.5, "infonce"), recorded["out_es_a2_diag_T0.5"])
    assert_equal(losses.multiview(*views, 0.5, 0.7, "simclr"), recorded["out_es_simclr_diag_a0.7_T0.5"])
    for temperature in (0.1, 0.5):
        full = losses.multiview(*views, temperature, form="full")
        assert_equal(full, recorded[f"out_es_supcon_loss_T{temperature}"])


@of("loss_a2_phymhan")
@pytest.mark.parametrize(("theirs", "factor"), [("es_a2_diag_T0.5", 1), ("sc_essl_loss_pos_append_a0.5_T0.5_b0.07", 0.5 / 0.07)])
def test_gradients_of_a2(recorded: Recorded, theirs: str, factor: float) -> None:
    first, second, generated = (recorded[name].requires_grad_() for name in ("z1", "z2", "z3"))
    loss = losses.multiview(first, second, generated[:, None]) * factor
    for name, gradient in zip(("z1", "z3"), torch.autograd.grad(loss, [first, generated]), strict=True):
        assert_equal(gradient, recorded[f"out_grad_{name}_{theirs}"])
