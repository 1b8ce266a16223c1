"""Convolutions whose derivatives of every order are fast on a CPU too, and their engines."""

from jaxgan.layers.conv.convolution import (
    Conv,
    ConvImpl,
    ConvTranspose,
    conv,
    conv_transpose,
)
from jaxgan.layers.conv.phases import conv_transpose_by_phases

__all__ = [
    "Conv",
    "ConvImpl",
    "ConvTranspose",
    "conv",
    "conv_transpose",
    "conv_transpose_by_phases",
]
