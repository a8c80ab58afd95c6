"""DisCo, Table 3: the manipulation disentanglement score of its directions and of others'."""

from ..table import Row, Table
from .manipulation import manipulation
from .scales import SCALES
from .settings import PICTURED, Spec, traversals

TABLE = Table(
    title="Edits along directions",
    source="DisCo (Ren et al. 2022), Table 3: manipulation disentanglement score (Yang et al. 2021), a pretrained GAN",
    columns=lambda scale: {"mds": "MDS"},
    rows=(
        Row("latent-discovery", "LatentDiscovery", Spec(method="latent-discovery")),
        Row("sefa", "SeFa (CF)", Spec(method="sefa")),
        Row("ganspace", "GANSpace", Spec(method="ganspace")),
        Row("deep-spectral", "DeepSpectral", Spec(method="deep-spectral")),
        Row("disco", "DisCo", Spec()),
    ),
    scales=SCALES,
    measure=manipulation,
    picture=traversals,
    pictured=PICTURED,
    notes=(
        "The score and the methods are the paper's, without its numbers.",
        "This project's choice: the attributes are the factors of the data, each judged by a classifier of its values. One has "
        "changed where the classifier names another value. Each factor is edited by the direction that scores best for it.",
    ),
)
