"""Whether the label-free judge sees what a classifier sees: consistency against how often a positive changes its anchor's class.

    uv run python benchmarks/semantic_monitor.py G.pt mnist --lr 1e-4

Trains a classifier on the labelled data, then a navigator that is never stopped, and prints both numbers at each check, with
their rank correlation. Only anchors that the classifier is sure of (probability above 0.9) are counted.
"""

import argparse
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor, nn

from genviews import data, generators
from genviews.data import Images
from genviews.encoders import Encoder
from genviews.training import NavigatorOptions, PretrainOptions, judges, train_navigator


def classifier(images: Images, steps: int = 600) -> nn.Module:
    torch.manual_seed(0)
    encoder = Encoder("conv-small", images.image_shape[0])
    model = nn.Sequential(encoder, nn.Linear(encoder.num_features, len(images.class_names)))
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(steps):
        pixels, labels = images[torch.randint(len(images), (256,))]
        loss = F.cross_entropy(model(pixels.float() / 255), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator")
    parser.add_argument("data")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--estimator-lr", type=float, default=3e-4)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    G, splits = generators.load(args.generator), data.load(args.data)
    model = classifier(splits.train)
    pixels, labels = splits.test[torch.arange(len(splits.test))]
    accuracy = (torch.cat([model(part.float() / 255) for part in pixels.split(500)]).argmax(1) == labels).float().mean()
    print(f"classifier: {accuracy:.1%} on the test part")

    judge = judges.by_samples(G, PretrainOptions())
    changes: list[float] = []

    def recording(first: Tensor, second: Tensor) -> Tensor:
        before, after = model(first).softmax(1), model(second).softmax(1)
        sure = before.amax(1) > 0.9
        changes.append((before.argmax(1) != after.argmax(1))[sure].float().mean().item())
        return judge(first, second)

    options = NavigatorOptions(steps=args.steps, lr=args.lr, estimator_lr=args.estimator_lr, tolerance=0.0, init_std=None)
    with tempfile.TemporaryDirectory() as folder:
        train_navigator(G, options, judge=recording, out=Path(folder))
        rows = (Path(folder) / "metrics.csv").read_text().splitlines()
    consistency = [float(dict(zip(rows[0].split(","), row.split(","), strict=True))["consistency"]) for row in rows[1:]]
    changed = changes[5::2]  # after the judge's scale (2), the untrained navigator (1) and step 0 (2); each check asks twice
    for check, (score, change) in enumerate(zip(consistency, changed, strict=True), start=1):
        print(f"step {check * options.check_every:4d}  consistency {score:5.2f}  changed class {change:6.1%}")
    print(f"Spearman correlation {spearmanr(consistency, changed).statistic:.3f}")


if __name__ == "__main__":
    main()
