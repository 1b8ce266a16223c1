"""Where samples come from: data sets that are addressed by index, and which indices a step uses."""

from jaxgan.data.builtin import MIXTURES, Mixture
from jaxgan.data.catalog import list_sources, open_source
from jaxgan.data.identity import Identity
from jaxgan.data.pair import PairSource, PairSpec, open_domain
from jaxgan.data.plan import batch_indices
from jaxgan.data.source import ArraySource, Source, Spec, class_number
from jaxgan.data.stacked import STACKED, StackedSource
from jaxgan.data.tfds import prepare_set

__all__ = [
    "MIXTURES",
    "STACKED",
    "ArraySource",
    "Identity",
    "Mixture",
    "PairSource",
    "PairSpec",
    "Source",
    "Spec",
    "StackedSource",
    "batch_indices",
    "class_number",
    "list_sources",
    "open_domain",
    "open_source",
    "prepare_set",
]
