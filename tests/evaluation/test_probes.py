import pytest
import torch
from torch import nn

from genviews import metrics
from genviews.data import ArrayImages, Splits
from genviews.errors import OptionError
from genviews.evaluation import knn, linear, probe

CLASSES = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(99))


def noisy_images(n: int, seed: int) -> ArrayImages:
    labels = torch.arange(n) % 4
    noise = torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    pixels = ((CLASSES[labels] + 0.8 * noise).clamp(0, 1) * 255).to(torch.uint8)
    return ArrayImages(pixels, labels, ("a", "b", "c", "d"))


DATA = Splits(noisy_images(200, 0), noisy_images(400, 1))
TRAIN, TEST = ((part.images.flatten(1) / 255, part.labels) for part in DATA)


def test_each_protocol_is_its_metric_on_the_encoders_features() -> None:
    assert linear(nn.Flatten(), DATA, seed=3) == metrics.linear_probe(TRAIN, TEST, seed=3)
    assert linear(nn.Flatten(), DATA, protocol="sgd", epochs=2) == metrics.linear_probe(TRAIN, TEST, protocol="sgd", epochs=2)
    few = metrics.few_label_probe(TRAIN, TEST, 5, draws=2, seed=3)
    assert linear(nn.Flatten(), DATA, labels_per_class=5, draws=2, seed=3) == few
    assert knn(nn.Flatten(), DATA, k=7, temperature=0.1) == metrics.knn(TRAIN, TEST, 7, 0.1)


def test_several_probes_encode_each_image_once() -> None:
    seen = []
    encoder = nn.Flatten()
    encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    results = probe(encoder, DATA, probes=("linear", "linear-3", "knn-5", "knn-20"), seed=1)
    assert sum(seen) == 600
    assert list(results) == ["linear", "linear-3", "knn-5", "knn-20"]
    assert results["linear"] == linear(encoder, DATA, seed=1)
    assert results["linear-3"] == linear(encoder, DATA, labels_per_class=3, seed=1)
    assert results["knn-20"] == knn(encoder, DATA, k=20)
    assert 0.3 < results["linear-3"].top1 < results["linear"].top1 < 1


@pytest.mark.parametrize("name", ["linear-", "linear-0", "knn", "knn-x", "svm", "linear-3-4"])
def test_an_unknown_probe_is_refused_before_anything_is_encoded(name: str) -> None:
    encoder = nn.Flatten()
    encoder.register_forward_hook(lambda *_: pytest.fail("encoded"))
    with pytest.raises(OptionError, match=f"probe '{name}' is unknown; use 'linear', 'linear-N'"):
        probe(encoder, DATA, probes=("linear", name))
