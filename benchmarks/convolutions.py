"""Every way to compute the convolutions of GANs, in every derivative: which one `auto` should take.

    python -m benchmarks.convolutions [--only 3x3] [--repeats 20] [--json FILE]

A row is one operation of one layer: the value, the gradients with respect to images and kernel, and
the kernel's gradient of an image gradient's squared norm (what a plain gradient penalty costs),
also inside a `lax.scan` of two. Fastest of the repeats, since what other programs take only adds.
In --json, `ours` is what `auto` takes and the peer is lax.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.layers.conv import conv, conv_transpose
from jaxgan.layers.resample import average_pool, upsample_nearest


class Layer(NamedTuple):
    """Images `[B, size, size, inputs]` to `outputs` channels by a `taps` x `taps` kernel."""

    name: str
    batch: int
    size: int
    inputs: int
    outputs: int
    taps: int
    of: Callable[..., jax.Array]
    """`(x, kernel, impl) -> images`"""
    impls: tuple[str, ...] = ("lax", "adjoint", "winograd", "patches")


def plain(stride: int = 1, padding: object = "SAME") -> Callable[..., jax.Array]:
    return lambda x, kernel, impl: conv(x, kernel, (stride, stride), padding, impl)


def transposed(x: jax.Array, kernel: jax.Array, impl: str) -> jax.Array:
    return conv_transpose(x, kernel, (2, 2), impl=impl)


def upsampled(x: jax.Array, kernel: jax.Array, impl: str) -> jax.Array:
    return conv(upsample_nearest(x), kernel, impl=impl)


def pooled(x: jax.Array, kernel: jax.Array, impl: str) -> jax.Array:
    return average_pool(conv(x, kernel, impl=impl))


PATCH = ((1, 1), (1, 1))
TRANSPOSED = ("lax", "adjoint", "phase", "winograd", "patches")
LAYERS = (
    Layer("4x4 stride 2", 64, 14, 64, 128, 4, plain(2)),
    Layer("4x4 stride 2", 64, 32, 64, 128, 4, plain(2)),
    Layer("5x5 stride 2", 64, 14, 64, 128, 5, plain(2), ("lax", "adjoint")),
    Layer("transposed 4x4 stride 2", 64, 7, 128, 64, 4, transposed, TRANSPOSED),
    Layer("transposed 4x4 stride 2", 64, 14, 64, 1, 4, transposed, TRANSPOSED),
    Layer("transposed 4x4 stride 2", 64, 16, 128, 64, 4, transposed, TRANSPOSED),
    Layer("transposed 5x5 stride 2", 64, 7, 128, 64, 5, transposed, TRANSPOSED[:3]),
    Layer("3x3", 64, 8, 32, 32, 3, plain()),
    Layer("3x3", 64, 16, 64, 64, 3, plain()),
    Layer("3x3", 64, 32, 64, 64, 3, plain()),
    Layer("3x3", 1, 16, 256, 256, 3, plain()),
    Layer("1x1", 64, 16, 64, 128, 1, plain(), ("lax",)),
    Layer("7x7", 1, 64, 3, 64, 7, plain(), ("lax", "adjoint", "patches")),
    Layer("PatchGAN 4x4 stride 1", 1, 32, 256, 512, 4, plain(1, PATCH)),
    Layer("nearest upsampling, 3x3", 64, 16, 64, 64, 3, upsampled),
    Layer("3x3, average pooling", 64, 32, 64, 64, 3, pooled),
)


def operations(layer: Layer, impl: str) -> dict[str, Callable[..., jax.Array]]:
    """Functions of images and kernel, by name."""

    def value(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return layer.of(x, kernel, impl)

    def loss(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sum(value(x, kernel) ** 2)

    def twice(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.sum(jax.grad(loss)(x, kernel) ** 2)

    def looped(x: jax.Array, kernel: jax.Array) -> jax.Array:
        def body(kernel: jax.Array, _: None) -> tuple[jax.Array, None]:
            return kernel - 1e-3 * jax.grad(loss, 1)(x, kernel), None

        return jax.lax.scan(body, kernel, None, length=2)[0]

    return {
        "value": value,
        "image gradient": jax.grad(loss, 0),
        "kernel gradient": jax.grad(loss, 1),
        "second derivative": jax.grad(twice, 1),
        "kernel gradient, scan of 2": looped,
    }


def milliseconds(function: Callable[..., jax.Array], *arrays: jax.Array, repeats: int) -> float:
    compiled = jax.jit(function).lower(*arrays).compile()
    jax.block_until_ready(compiled(*arrays))
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        jax.block_until_ready(compiled(*arrays))
        times.append(time.perf_counter() - began)
        if sum(times) > 1.5:
            break
    return 1e3 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="layers whose name holds this")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args()
    random, records = np.random.default_rng(0), []
    columns = (*TRANSPOSED, "auto")
    print(f"float32 on {jax.default_backend()}, jax {jax.__version__}, ms\n")
    print(f"| layer | operation | {' | '.join(columns)} |\n{'|---' * (2 + len(columns))}|")
    for layer in LAYERS:
        if options.only not in layer.name:
            continue
        x = random.normal(size=(layer.batch, layer.size, layer.size, layer.inputs))
        kernel = random.normal(size=(layer.taps, layer.taps, layer.inputs, layer.outputs))
        arrays = jnp.asarray(x, jnp.float32), jnp.asarray(kernel / 50, jnp.float32)
        shape = f"{layer.name}, {layer.size}² x {layer.inputs} -> {layer.outputs}, B {layer.batch}"
        impls = {name: operations(layer, name) for name in (*layer.impls, "auto")}
        for operation in impls["lax"]:
            found = {
                name: milliseconds(each[operation], *arrays, repeats=options.repeats)
                for name, each in impls.items()
            }
            cells = [f"{found[name]:.2f}" if name in found else "" for name in columns]
            print(f"| {shape} | {operation} | {' | '.join(cells)} |", flush=True)
            ours, peer = found["auto"], found["lax"]
            case = f"{shape}, {operation}"
            records.append(
                {"case": case, "ours_ms": ours, "peer_ms": peer, "ratio": ours / peer, **found}
            )
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
