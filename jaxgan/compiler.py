"""What XLA's compiler is asked for, and what it offers.

On a CPU XLA has convolutions of its own, and from jaxlib 0.12 on also oneDNN's, which are up to a
third faster. A program that is to have them asks for them:

    jax.jit(step, compiler_options=compiler.options("cpu", convolutions=True))
"""

import platform
import sys

import jaxlib

Options = dict[str, str | bool]
"""By XLA's names."""
ONEDNN = "xla_cpu_experimental_onednn_custom_call"


def offers_onednn() -> bool:
    """Whether programs for this CPU can have oneDNN's convolutions."""
    x86 = sys.platform == "linux" and platform.machine() == "x86_64"
    return x86 and jaxlib.version.__version_info__ >= (0, 12)


def is_kept(options: Options) -> bool:
    """Whether JAX can keep a program for the next process: not one with oneDNN's convolutions."""
    return not options.get(ONEDNN)


def options(backend: str, *, convolutions: bool = False) -> Options:
    """What a program is compiled with.

    Args:
      backend: "cpu", "gpu" or "tpu".
      convolutions: whether the program has convolutions of a batch of images, none in a loop.
        oneDNN's are many times slower than XLA's own in loops, and a sixth slower in the gradients
        of kernels with 256 channels on one image. JAX cannot keep such a program for the next
        process, which compiles it anew.
    """
    if backend == "gpu":
        # Without it two processes may sum in two orders: same key, other bits.
        return {"xla_gpu_deterministic_ops": True}
    if backend != "cpu":
        return {}
    # Without it XLA copies the parameters of a looped step that it could update in place.
    found: Options = {"xla_cpu_copy_insertion_use_region_analysis": True}
    if convolutions and offers_onednn():
        # XLA's other library, YNNPACK, would take the operations first. oneDNN is slower than
        # YNNPACK for what has no convolutions.
        found |= {
            ONEDNN: True,
            "xla_cpu_experimental_ynn_fusion_type": "",
        }
    return found
