"""A mixture of 30 Gaussians of the digits, fitted by EM: what came before, in a few seconds.

    jaxgan train experiments/mixture_digits.py

Each image is one of 30 Gaussians of all 64 pixels. Samples look like digits that were rubbed out
and written over: what a Gaussian cannot say is that a stroke is here or there, but not in between.
"""

from jaxgan.experiment import MixtureExperiment

experiment = MixtureExperiment(
    name="mixture_digits",
    data="digits",
    steps=40,
    components=30,
    covariance="full",
    floor=0.01,
    log_every=5,
    sample_every=20,
    checkpoint_every=20,
    evaluate_every=20,
    best_metric="frechet",
)
