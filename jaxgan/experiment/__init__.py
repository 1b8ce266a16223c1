"""The description of a run: its options, and what a kind of run makes of them."""

from jaxgan.experiment.generation import (
    DIGITS,
    BaseExperiment,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
    check,
)
from jaxgan.experiment.unpaired import PatchOptions, TranslatorOptions, UnpairedExperiment

__all__ = [
    "DIGITS",
    "BaseExperiment",
    "DiscriminatorOptions",
    "Experiment",
    "GeneratorOptions",
    "OptimizerOptions",
    "PatchOptions",
    "TranslatorOptions",
    "UnpairedExperiment",
    "check",
]
