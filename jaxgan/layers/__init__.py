"""Linen layers that no GAN owns."""
