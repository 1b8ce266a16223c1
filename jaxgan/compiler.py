"""What XLA's compiler is asked for, and what it offers.

On a CPU XLA's convolutions are those of YNNPACK. From jaxlib 0.12 on it also has oneDNN's, which
are up to a third faster; before that Eigen's are, by a tenth to a half. A program that is to have
them asks for them:

    jax.jit(step, compiler_options=compiler.options("cpu", convolutions=True))
"""

import platform
import sys

import jaxlib

Options = dict[str, str | bool]
"""By XLA's names."""
ONEDNN = "xla_cpu_experimental_onednn_custom_call"
YNNPACK = "xla_cpu_experimental_ynn_fusion_type"
"""What YNNPACK takes, before the other libraries are asked; empty: nothing."""


def offers_onednn() -> bool:
    """Whether programs for this CPU can have oneDNN's convolutions."""
    return _is_measured() and jaxlib.version.__version_info__ >= (0, 12)


def _is_measured() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64"


def is_kept(options: Options) -> bool:
    """Whether JAX can keep a program for the next process: not one with oneDNN's convolutions."""
    return not options.get(ONEDNN)


def options(backend: str, *, convolutions: bool = False) -> Options:
    """What a program is compiled with.

    Args:
      backend: "cpu", "gpu" or "tpu".
      convolutions: whether the program has convolutions of a batch of images, none in a loop.
        oneDNN's are many times slower than XLA's own in loops, and a sixth slower in the gradients
        of kernels with 256 channels on one image. JAX cannot keep a program with oneDNN's for the
        next process, which compiles it anew. YNNPACK is faster in what has no convolutions.
    """
    if backend == "gpu":
        # Without it two processes may sum in two orders: same key, other bits.
        return {"xla_gpu_deterministic_ops": True}
    if backend != "cpu":
        return {}
    # Without it XLA copies the parameters of a looped step that it could update in place.
    found: Options = {"xla_cpu_copy_insertion_use_region_analysis": True}
    if convolutions and offers_onednn():
        found |= {ONEDNN: True, YNNPACK: ""}
    elif convolutions and _is_measured() and jaxlib.version.__version_info__ >= (0, 10):
        found |= {YNNPACK: ""}
    return found
