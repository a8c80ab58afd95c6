"""COP-Gen, Table 5: how long the navigator learns, and a linear one, on ImageNet-100."""

from dataclasses import replace

from ..table import Row, Table
from .scales import SCALES_100, SMALL
from .settings import PROBES, Spec, pairs, probes

TABLE = Table(
    title="How long the navigator learns",
    source="COP-Gen (Li et al. 2022), Table 5 (200K, 400K, 600K samples) and the linear T_z; linear evaluation on ImageNet-100",
    columns=lambda scale: PROBES,
    rows=(
        Row("once", "as long as elsewhere", Spec(positives="cop-gen"), {"linear": 63.96}),
        Row("twice", "twice as long", Spec(positives="cop-gen", longer=2), {"linear": 64.12}),
        Row("thrice", "three times as long", Spec(positives="cop-gen", longer=3), {"linear": 63.56}),
        Row("linear", "linear T_z", Spec(positives="cop-gen", navigator={"linear": True}), {"linear": 61.18}),
    ),
    scales=SCALES_100 | {"small": replace(SMALL, navigator=replace(SMALL.navigator, steps=300, judge="none"))},
    measure=probes,
    picture=pairs,
    notes=("No monitor stops these navigators.",),
)
