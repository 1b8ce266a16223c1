"""What XLA is asked for, and that it does it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import compiler
from jaxgan.devices.compilation import written_if
from jaxgan.layers.conv import conv

ONEDNN, EIGEN = {compiler.ONEDNN: True, compiler.YNNPACK: ""}, {compiler.YNNPACK: ""}


@pytest.mark.parametrize(
    ("backend", "version", "machine", "more"),
    [
        ("cpu", (0, 12, 0), "x86_64", ONEDNN),
        ("cpu", (0, 10, 2), "x86_64", EIGEN),
        ("cpu", (0, 9, 2), "x86_64", {}),  # It does not know the option.
        ("cpu", (0, 12, 0), "aarch64", {}),  # Not measured there.
        ("gpu", (0, 12, 0), "x86_64", {}),
        ("tpu", (0, 12, 0), "x86_64", {}),
    ],
)
def test_what_is_asked_for_convolutions(monkeypatch, backend, version, machine, more):
    monkeypatch.setattr(compiler.jaxlib.version, "__version_info__", version)
    monkeypatch.setattr(compiler.platform, "machine", lambda: machine)
    monkeypatch.setattr(compiler.sys, "platform", "linux")
    plain = compiler.options(backend)
    assert compiler.options(backend, convolutions=True) == plain | more
    assert not plain.keys() & ONEDNN.keys()
    assert compiler.is_kept(plain | more) is (more != ONEDNN)


@pytest.mark.parametrize(
    ("version", "machine", "system", "offers"),
    [
        ((0, 12, 0, 1), "x86_64", "linux", True),
        ((0, 11, 9), "x86_64", "linux", False),
        ((0, 12, 0), "aarch64", "linux", False),
        ((0, 12, 0), "x86_64", "darwin", False),
    ],
)
def test_what_offers_onednn(monkeypatch, version, machine, system, offers):
    monkeypatch.setattr(compiler.jaxlib.version, "__version_info__", version)
    monkeypatch.setattr(compiler.platform, "machine", lambda: machine)
    monkeypatch.setattr(compiler.sys, "platform", system)
    assert compiler.offers_onednn() is offers


def test_the_compiler_takes_the_options_and_calls_onednn_where_it_says_so():
    x, kernel = jnp.ones((8, 16, 16, 32)), jnp.ones((4, 4, 32, 64))
    function = jax.jit(lambda x, kernel: conv(x, kernel, (2, 2)))
    options = compiler.options("cpu", convolutions=True)
    with written_if(compiler.is_kept(options)):
        compiled = function.lower(x, kernel).compile(options)
    assert ("__onednn$convolution" in compiled.as_text()) is compiler.offers_onednn()
    np.testing.assert_allclose(compiled(x, kernel), function(x, kernel), rtol=1e-5)
