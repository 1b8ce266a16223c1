"""8x8 digits of scikit-learn: what `jaxgan train` does with no file. Under a minute on a CPU."""

from jaxgan.experiment import DIGITS

experiment = DIGITS
