"""The description of a run: its options, and what a kind of run makes of them."""

from jaxgan.experiment.adversarial import AdversarialExperiment
from jaxgan.experiment.autoencoding import AutoencodingExperiment
from jaxgan.experiment.base import BaseExperiment, Phase, check
from jaxgan.experiment.generation import DIGITS, CodeOptions, Experiment
from jaxgan.experiment.growing import GrowingExperiment
from jaxgan.experiment.inpainting import InpaintingExperiment
from jaxgan.experiment.inputs import Inputs, LabelChoice, NoChoice, Reading
from jaxgan.experiment.mixture import MixtureExperiment
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.experiment.paired import PairedExperiment
from jaxgan.experiment.super_resolution import SuperResolutionExperiment
from jaxgan.experiment.unpaired import UnpairedExperiment
from jaxgan.experiment.vae_gan import VAEGANExperiment
from jaxgan.networks.context_encoder import ContextEncoderOptions
from jaxgan.networks.cyclegan import PatchOptions, TranslatorOptions
from jaxgan.networks.families import DiscriminatorOptions, GeneratorOptions
from jaxgan.networks.growing import GrowingDiscriminatorOptions, GrowingGeneratorOptions
from jaxgan.networks.super_resolution import SRGANDiscriminatorOptions, SuperResolutionOptions
from jaxgan.networks.unet import UNetOptions

__all__ = [
    "DIGITS",
    "AdversarialExperiment",
    "AutoencodingExperiment",
    "BaseExperiment",
    "CodeOptions",
    "ContextEncoderOptions",
    "DiscriminatorOptions",
    "Experiment",
    "GeneratorOptions",
    "GrowingDiscriminatorOptions",
    "GrowingExperiment",
    "GrowingGeneratorOptions",
    "InpaintingExperiment",
    "Inputs",
    "LabelChoice",
    "MixtureExperiment",
    "NoChoice",
    "OptimizerOptions",
    "PairedExperiment",
    "PatchOptions",
    "Phase",
    "Reading",
    "SRGANDiscriminatorOptions",
    "SuperResolutionExperiment",
    "SuperResolutionOptions",
    "TranslatorOptions",
    "UNetOptions",
    "UnpairedExperiment",
    "VAEGANExperiment",
    "check",
]
