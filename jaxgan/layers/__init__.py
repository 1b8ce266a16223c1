"""Linen layers that no GAN owns: convolutions, normalization."""
