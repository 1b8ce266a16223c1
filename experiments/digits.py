"""8x8 digits of scikit-learn: what `jaxgan train` does without a file.

    jaxgan train digits

It gave a Fréchet distance of .603 ± .033 (three seeds; training images: .366), in about a minute on
two CPU cores.
"""

from jaxgan.experiment import DIGITS

experiment = DIGITS
