"""Where samples come from: sources that are addressed by index."""

from jaxgan.data.builtin import MIXTURES as MIXTURES
from jaxgan.data.builtin import Mixture as Mixture
from jaxgan.data.catalog import list_sources as list_sources
from jaxgan.data.catalog import open_source as open_source
from jaxgan.data.plan import batch_indices as batch_indices
from jaxgan.data.source import ArraySource as ArraySource
from jaxgan.data.source import Source as Source
from jaxgan.data.source import Spec as Spec
