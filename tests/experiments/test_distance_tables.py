"""The tables of t-SimCLR and t-MoCo, at their smallest scale, on digits."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from genviews import data, encoders
from genviews.data import extract
from genviews.experiments import TABLES
from genviews.experiments.cache import Cache
from genviews.experiments.distance.pictures import scatter
from genviews.experiments.distance.settings import Spec, pretrained

T_SIMCLR, TRANSFER = TABLES["distance/t-simclr"], TABLES["distance/transfer"]


@pytest.mark.parametrize("method", ["simclr", "t-simclr"])
def test_a_cell_is_the_exact_nearest_neighbour_in_the_measure_of_its_loss(method: str, tmp_path: Path) -> None:
    spec, scale, cache = Spec(method=method, dim=4), T_SIMCLR.scales["smoke"], Cache(tmp_path)
    numbers = T_SIMCLR.measure(spec, scale, 0, cache)
    assert list(numbers) == list(T_SIMCLR.columns(scale))
    found = encoders.embedder(pretrained(spec, scale, 0, cache)[0])
    train, test = (extract(torch.nn.Sequential(found.encoder, found.projector), part) for part in data.load("digits"))
    assert train[0].shape[1] == 4
    metric = "cosine" if method == "simclr" else "euclidean"
    peer = KNeighborsClassifier(1, metric=metric, algorithm="brute").fit(*train)
    assert numbers["embedding"] == pytest.approx(peer.score(*test), abs=0.01)  # ties of rounding


def test_methods_have_an_encoder_each_at_every_dimension() -> None:
    assert [(row.spec.method, row.spec.dim) for row in T_SIMCLR.rows][:3] == [("simclr", 1), ("t-simclr", 1), ("simclr", 2)]
    for scale in T_SIMCLR.scales.values():
        assert {name: recipe.method for name, recipe in scale.encoders.items()} == {"simclr": "simclr", "t-simclr": "t-simclr"}


def test_pixels_representations_and_embeddings_are_drawn(tmp_path: Path) -> None:
    scale = T_SIMCLR.scales["smoke"]
    drawn = T_SIMCLR.picture(Spec(method="t-simclr", dim=2), scale, Cache(tmp_path))
    assert drawn is not None and drawn.shape == (3, 3, 260, 260)
    assert T_SIMCLR.picture(Spec(method="t-simclr", dim=4), scale, Cache(tmp_path)) is None


def test_a_point_is_drawn_where_it_is_in_the_colour_of_its_class() -> None:
    picture = scatter(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 3]))
    blue, red = picture[2] - picture[0] > 0.3, picture[0] - picture[2] > 0.3
    assert blue[130:, :130].any() and not blue[:130].any()
    assert red[:130, 130:].any() and not red[130:].any()


def test_transfer_has_a_column_a_data_set_and_the_paper_s_numbers(tmp_path: Path) -> None:
    scale = replace(TRANSFER.scales["smoke"], seeds=1)
    numbers = TRANSFER.measure(TRANSFER.rows[1].spec, scale, 0, Cache(tmp_path))
    assert list(numbers) == ["digits", "average"]
    assert 0.1 < numbers["digits"] == numbers["average"] <= 1
    assert list(TRANSFER.columns(scale)) == ["aircraft", "birdsnap", "dtd", "digits", "average"]
