"""A tiny generator of every family."""

import torch

from genviews.generators import (
    DCGAN,
    ICGAN,
    MLPGAN,
    MLPVAE,
    SNGAN,
    VAEGAN,
    VQGAN,
    BigGAN,
    BigGANDeep,
    BurgessVAE,
    CodeGPT,
    DiscoVAE,
    Generator,
    Glow,
    LatentDiffusion,
    RealNVP,
    ResidualFlow,
    StyleGAN2,
)

torch.manual_seed(0)
TINY_VQGAN = {"image_shape": (1, 4, 4), "width": 8, "multipliers": (1, 1), "codes": 12, "code_dim": 4, "attention": False}

EXAMPLES: list[Generator] = [
    RealNVP((1, 4, 4), steps=2, hidden=8, levels=17, seed=5),
    BurgessVAE((3, 32, 32), latent_dim=4),
    MLPGAN((4, 8, 12), image_shape=(3, 2, 2)),
    SNGAN((3, 16, 16), 6, channels=(8, 8, 4)),
    DCGAN((1, 16, 16), 6, channels=(8, 4)),
    DiscoVAE((3, 16, 16), 4, width=4),
    MLPVAE((1, 6, 6), 4, hidden=16),
    BigGAN(5, 6, channels=(8, 8), attention=(8,), latent_dim=4),
    ICGAN(
        feature_dim=8,
        feature_embedding_dim=4,
        num_classes=3,
        embedding_dim=4,
        channels=(8, 8),
        attention=(8,),
        latent_dim=4,
    ).with_instances(torch.rand(5, 8), torch.arange(5) % 3),
    BigGANDeep((16, 16, 8), (True, False), attention=1, latent_dim=4, num_classes=5),
    Glow((3, 8, 8), blocks=2, steps=2, width=8),
    ResidualFlow((1, 4, 4), (1, 1), hidden=4, dense_end=False, squeeze_first=False),
    StyleGAN2((1, 16, 16), latent_dim=5, mapping=(9, 7), channels=(8, 6, 4), num_conditions=3),
    VAEGAN((1, 16, 16), 4, width=4, decoder_width=8),
    VQGAN(**TINY_VQGAN),
    CodeGPT(TINY_VQGAN, width=8, heads=2, layers=1),
    LatentDiffusion(TINY_VQGAN, heads=2, head_dim=4, layers=1, steps=1),
]

for example in EXAMPLES:  # or all their codes would be nearly the same
    if isinstance(example, CodeGPT):
        torch.nn.init.normal_(example.transformer.head.weight)
    for part in example.modules():
        if isinstance(part, VQGAN):
            torch.nn.init.normal_(part.model.quantize.embedding.weight)

MADE_BY_OTHERS = [
    example for example in EXAMPLES if not isinstance(example, RealNVP | VAEGAN | VQGAN | CodeGPT | LatentDiffusion)
]
"""Those whose files other projects write."""


def name_of(generator: Generator) -> str:
    return type(generator).__name__
