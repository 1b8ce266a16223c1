"""Networks that grow: what a size holds, and how it goes over into the next."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.resample import upsample_nearest
from jaxgan.networks.growing import (
    COLLECTION,
    GrowingDiscriminator,
    GrowingGenerator,
    channels,
    sizes,
)
from jaxgan.networks.network import parameter_count

LATENTS = jax.random.normal(jax.random.key(1), (4, 6))
FADE = 10


def shapes(module, *inputs):
    return jax.eval_shape(partial(module.init, train=False), jax.random.key(0), *inputs)


def generator(size, fade_steps=0):
    return GrowingGenerator((size, size, 3), 16, fade_steps)


def started(module, *inputs):
    return jax.jit(partial(module.init, train=False))(jax.random.key(0), *inputs)


def apply(module, params, x, done=None):
    state = {} if done is None else {COLLECTION: {"steps": jnp.int32(done)}}
    return jax.jit(partial(module.apply, train=False))({"params": params, **state}, x)


def test_parameter_counts_of_the_authors_code():
    """1024 pixels, latents of 512, three channels, all layers to and from images held."""
    of_generator = shapes(GrowingGenerator((1024, 1024, 3)), jnp.ones((1, 512)))
    of_discriminator = shapes(GrowingDiscriminator(), jnp.ones((1, 1024, 1024, 3)))
    assert parameter_count(of_generator["params"]) == 23_079_115
    assert parameter_count(of_discriminator["params"]) == 23_087_249


def test_channels_of_the_paper():
    found = [channels(512, size) for size in sizes((1024,))]
    assert found == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert [channels(16, size) for size in sizes((64,))] == [16, 16, 16, 16, 8]
    assert channels(1, 1024) == 1


@pytest.fixture(scope="module")
def params():
    """Both networks at 8 and 16 pixels, with the weights of the smaller in the larger."""
    of = {}
    for size in (8, 16):
        of["generator", size] = started(generator(size), LATENTS)["params"]
        images = jnp.zeros((4, size, size, 3))
        of["discriminator", size] = started(GrowingDiscriminator(16), images)["params"]
    for side in ("generator", "discriminator"):
        of[side, 16] = of[side, 16] | of[side, 8]
    return of


def test_a_size_holds_the_smaller_ones(params):
    for side in ("generator", "discriminator"):
        assert params[side, 8].keys() < params[side, 16].keys()


def test_the_next_size_begins_as_this_one_enlarged(params):
    small = apply(generator(8), params["generator", 8], LATENTS)
    large = apply(generator(16, FADE), params["generator", 16], LATENTS, done=0)
    np.testing.assert_allclose(large, upsample_nearest(small), atol=1e-6)


def test_the_next_size_of_the_discriminator_begins_as_this_one(params):
    images = jax.random.normal(jax.random.key(2), (4, 8, 8, 3))
    small = apply(GrowingDiscriminator(16), params["discriminator", 8], images)
    large = apply(
        GrowingDiscriminator(16, FADE),
        params["discriminator", 16],
        upsample_nearest(images),
        done=0,
    )
    np.testing.assert_allclose(large, small, atol=1e-6)


def test_a_size_that_has_faded_in_is_the_size_by_itself(params):
    images = jax.random.normal(jax.random.key(2), (4, 16, 16, 3))
    of_generator, of_discriminator = params["generator", 16], params["discriminator", 16]
    np.testing.assert_allclose(
        apply(generator(16, FADE), of_generator, LATENTS, done=FADE),
        apply(generator(16), of_generator, LATENTS),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        apply(GrowingDiscriminator(16, FADE), of_discriminator, images, done=FADE),
        apply(GrowingDiscriminator(16), of_discriminator, images),
        atol=1e-6,
    )


def test_half_way_images_are_the_mean_of_both(params):
    ends = [apply(generator(16, FADE), params["generator", 16], LATENTS, done=d) for d in (0, FADE)]
    half = apply(generator(16, FADE), params["generator", 16], LATENTS, done=FADE // 2)
    np.testing.assert_allclose(half, (ends[0] + ends[1]) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "inputs", "layer"),
    [
        (partial(GrowingGenerator, (16, 16, 3), 16), LATENTS, "to_image"),
        (partial(GrowingDiscriminator, 16), jnp.zeros((4, 16, 16, 3)), "from_image"),
    ],
    ids=["generator", "discriminator"],
)
def test_what_has_faded_in_costs_nothing_more(make, inputs, layer):
    """Neither α nor the layers of smaller images are in the program of a size by itself."""

    def unused(module):
        variables = shapes(module, inputs)
        program = jax.make_jaxpr(partial(module.apply, train=False))(variables, inputs).jaxpr
        read = {id(variable) for equation in program.eqns for variable in equation.invars}
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(variables)]
        known = zip(paths, program.invars[: len(paths)], strict=True)
        return {path[1].key for path, variable in known if id(variable) not in read}

    assert unused(make()) == {f"{layer}_4", f"{layer}_8"}
    assert unused(make(fade_steps=FADE)) == {f"{layer}_4"}
    assert COLLECTION not in shapes(make(), inputs)


def test_latents_are_normalized(params):
    """A latent's length does not matter."""
    images = [apply(generator(8), params["generator", 8], LATENTS * c) for c in (1, 7)]
    np.testing.assert_allclose(*images, rtol=1e-3, atol=1e-4)


def test_the_discriminator_sees_how_varied_its_samples_are(params):
    images = jax.random.normal(jax.random.key(2), (4, 8, 8, 3))
    among_others, alone = (
        apply(GrowingDiscriminator(16), params["discriminator", 8], x)
        for x in (images, jnp.repeat(images[:1], 4, axis=0))
    )
    assert not np.allclose(among_others[0], alone[0], rtol=1e-3)


def test_labels_reach_both_networks():
    labels, other = jnp.arange(4), jnp.arange(4)[::-1]
    conditional = GrowingGenerator((8, 8, 1), 4, num_classes=4)
    variables = started(conditional, LATENTS, labels)
    run = partial(conditional.apply, variables, LATENTS, train=False)
    assert not np.allclose(run(labels), run(other))
    projecting = GrowingDiscriminator(4, num_classes=4)
    images = run(labels)
    variables = started(projecting, images, labels)
    run = partial(projecting.apply, variables, images, train=False)
    assert not np.allclose(run(labels), run(other))


def test_bfloat16_computation_keeps_parameters_and_outputs_float32():
    for module, inputs in (
        (GrowingGenerator((8, 8, 1), 4, FADE, dtype=jnp.bfloat16), LATENTS),
        (GrowingDiscriminator(4, FADE, dtype=jnp.bfloat16), jnp.ones((4, 8, 8, 1))),
    ):
        variables = shapes(module, inputs)
        output = jax.eval_shape(partial(module.apply, train=False), variables, inputs)
        found = {leaf.dtype for leaf in jax.tree.leaves((variables["params"], output))}
        assert found == {jnp.dtype("float32")}


@pytest.mark.parametrize("shape", [(28, 28, 1), (2, 2, 1), (8, 16, 1), (24, 24, 3)])
def test_sizes_that_are_none(shape):
    message = rf"not {shape[0]}x{shape[1]}: set image_size to one of these"
    with pytest.raises(ValueError, match=message):
        GrowingGenerator(shape)
    with pytest.raises(ValueError, match=message):
        shapes(GrowingDiscriminator(4), jnp.ones((1, *shape)))


def test_the_smallest_size_cannot_fade_in():
    with pytest.raises(ValueError, match="the smallest size, 4 pixels, cannot fade in"):
        generator(4, FADE)
