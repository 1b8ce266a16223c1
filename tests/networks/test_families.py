"""Families of generators and discriminators: a name and options become two networks."""

import dataclasses
import inspect
from functools import partial
from typing import get_args, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks import Network, parameter_count
from jaxgan.networks.families import (
    FAMILIES,
    DiscriminatorOptions,
    GeneratorOptions,
    make_discriminator,
    make_generator,
)
from jaxgan.options import check_values

LATENTS = jax.ShapeDtypeStruct((3, 20), jnp.float32)
LABELS = jax.ShapeDtypeStruct((3,), jnp.int32)
IMAGE, POINT = (8, 8, 1), (2,)
SMALLEST = dict.fromkeys(FAMILIES, IMAGE) | {"biggan": (32, 32, 1)}
SIDES = {
    "generator": (make_generator, GeneratorOptions),
    "discriminator": (make_discriminator, DiscriminatorOptions),
}
every_family = pytest.mark.parametrize("family", FAMILIES)
every_side = pytest.mark.parametrize("side", SIDES)


def build(side: str, shape=None, classes: int = 0, **options) -> Network:
    make, kind = SIDES[side]
    options = kind(**{"width": 4} | options)
    return make(options, shape or SMALLEST[options.family], classes)


def input_of(side: str, shape) -> jax.ShapeDtypeStruct:
    return LATENTS if side == "generator" else jax.ShapeDtypeStruct((3, *shape), jnp.float32)


def shapes(side: str, shape=None, classes: int = 0, **options):
    """Output and variables of a network, by shape and type."""
    shape = shape or SMALLEST[options["family"]]
    network = build(side, shape, classes, **options)
    inputs = input_of(side, shape), LABELS if classes else None
    variables = jax.eval_shape(network.init, jax.random.key(0), *inputs)
    apply = partial(network.apply, train=True, key=jax.random.key(1))
    return jax.eval_shape(apply, variables, *inputs)[0], variables


def program(side: str, **options) -> str:
    """The text of a training pass."""
    network, example = build(side, **options), input_of(side, SMALLEST[options["family"]])
    variables = jax.eval_shape(network.init, jax.random.key(0), example)
    apply = partial(network.apply, train=True, key=jax.random.key(1))
    return str(jax.make_jaxpr(apply)(variables, example))


def test_the_families_are_what_the_options_allow():
    assert set(FAMILIES) == {"dcgan", "resnet", "biggan", "mlp"}
    for kind in (GeneratorOptions, DiscriminatorOptions):
        assert get_args(get_type_hints(kind)["family"]) == tuple(FAMILIES)
        for family in FAMILIES:
            check_values(kind(family=family))
        message = "family must be one of dcgan, resnet, biggan, mlp, not 'vae'"
        with pytest.raises(ValueError, match=message):
            check_values(kind(family="vae"))
    assert [name for name, family in FAMILIES.items() if family.points] == ["mlp"]


@every_family
def test_a_family_is_two_functions_of_options_a_shape_and_what_they_make(family):
    made = (["bounded"], ["outputs", "with_features"])
    for function, more in zip(FAMILIES[family][:2], made, strict=True):
        named = list(inspect.signature(function).parameters)
        assert named == ["options", "shape", "num_classes", *more]


@every_family
def test_features_are_what_logits_are_made_from(family):
    """Their last layer, applied by hand, gives the same logits as without them."""
    options = DiscriminatorOptions(family=family, width=4)
    shape = SMALLEST[family]
    images = jax.random.normal(jax.random.key(0), (3, *shape))
    plain, told = (make_discriminator(options, shape, with_features=on) for on in (False, True))
    variables = jax.jit(plain.init)(jax.random.key(1), images)
    logits, _ = plain.apply(variables, images, train=False)
    output, _ = told.apply(variables, images, train=False)
    assert set(output) == {"logits", "features"}
    np.testing.assert_array_equal(output["logits"], logits)
    features = output["features"]
    reduce = {"resnet": features.mean, "biggan": features.sum}.get(family)
    features = reduce((1, 2)) if reduce else features.reshape(3, -1)
    last = variables.params[max(name for name in variables.params if name.startswith("Dense"))]
    by_hand = features @ last["kernel"][:, 0] + last["bias"]
    np.testing.assert_allclose(by_hand, logits, rtol=1e-4, atol=1e-5)


@every_family
@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize(("times", "channels"), [(1, 1), (2, 3)])
def test_images_come_out_and_logits(family, classes, times, channels):
    side = times * SMALLEST[family][0]
    shape = (side, side, channels)
    samples, _ = shapes("generator", shape, classes, family=family)
    assert (samples.shape, samples.dtype) == ((3, *shape), jnp.float32)
    logits, _ = shapes("discriminator", shape, classes, family=family)
    assert (logits.shape, logits.dtype) == ((3,), jnp.float32)


def test_points_come_out_of_a_family_that_takes_them():
    samples, _ = shapes("generator", POINT, 8, family="mlp")
    assert (samples.shape, samples.dtype) == ((3, 2), jnp.float32)
    assert shapes("discriminator", POINT, 8, family="mlp")[0].shape == (3,)


@every_side
@pytest.mark.parametrize("family", [name for name, f in FAMILIES.items() if not f.points])
def test_a_family_of_images_refuses_points(side, family):
    with pytest.raises(ValueError, match="are points") as caught:
        build(side, POINT, family=family)
    assert str(caught.value) == (
        f"{side}.family={family} is for images, and the data are points of shape (2,): "
        f"take {side}.family=mlp"
    )


@pytest.mark.parametrize(
    ("own", "side", "option", "value"),
    [
        ("biggan", "generator", "attention", 8),
        ("biggan", "generator", "hierarchical", False),
        ("biggan", "generator", "shared_size", 64),
        ("biggan", "discriminator", "attention", 8),
        ("dcgan", "generator", "hidden", 8),
        ("dcgan", "discriminator", "hidden", 8),
    ],
)
def test_options_of_one_family_are_refused_by_the_others(own, side, option, value):
    default = getattr(SIDES[side][1](), option)
    build(side, family=own, **{option: value})
    for family in FAMILIES.keys() - {own}:
        with pytest.raises(ValueError, match="is an option") as caught:
            build(side, family=family, **{option: value})
        assert str(caught.value) == (
            f"{side}.{option} is an option of the family {own}, and {side}.family={family} takes "
            f"{default} alone, not {value}"
        )


@every_side
@every_family
def test_the_width_and_the_classes_are_heard(side, family):
    plain, wide, conditional = (
        parameter_count(shapes(side, classes=classes, family=family, width=width)[1].params)
        for width, classes in ((4, 0), (8, 0), (4, 10))
    )
    assert plain < wide
    assert plain < conditional


@every_side
def test_the_depth_is_heard_by_the_family_that_has_one(side):
    sizes = {
        family: [
            parameter_count(shapes(side, family=family, depth=depth)[1].params) for depth in (1, 3)
        ]
        for family in FAMILIES
    }
    assert sizes["mlp"][1] - sizes["mlp"][0] >= 2 * (4 * 4 + 4)  # Two layers of 4 units more
    for family in FAMILIES.keys() - {"mlp"}:  # Theirs follows from the size of the images.
        assert sizes[family][0] == sizes[family][1]


@every_side
@every_family
def test_the_normalization_is_heard(side, family):
    if (side, family) == ("generator", "biggan"):  # which has one alone
        assert shapes(side, family=family, normalization="batch")[1].state.keys() == {"batch_stats"}
        for kind in ("group", "none"):
            with pytest.raises(ValueError, match=f"normalization='{kind}'; allowed is 'batch'"):
                build(side, family=family, normalization=kind)
        return
    found = {
        kind: shapes(side, family=family, normalization=kind)[1]
        for kind in ("batch", "group", "none")
    }
    assert found["batch"].state.keys() == {"batch_stats"}
    assert found["group"].state == found["none"].state == {}
    for kind, layer in (("batch", "BatchNorm"), ("group", "GroupNorm")):
        assert layer in str(found[kind].params)
        assert layer not in str(found["none"].params)


@every_side
@every_family
def test_the_dtype_is_that_of_the_computation_alone(side, family):
    half = {"family": family, "dtype": "bfloat16"}
    assert "bf16" in program(side, **half)
    assert "bf16" not in program(side, family=family)
    output, variables = shapes(side, **half)
    assert {leaf.dtype for leaf in jax.tree.leaves((output, variables))} == {jnp.dtype("float32")}


@every_side
@every_family
def test_remat_is_heard(side, family):
    """How much less is kept is measured in tests of experiments."""
    assert "prevent_cse" in program(side, family=family, remat=True)
    assert "prevent_cse" not in program(side, family=family)


@every_family
def test_dropout_is_heard_in_training_alone(family):
    images = jax.random.normal(jax.random.key(0), (3, *SMALLEST[family]))
    options = {"family": family, "normalization": "none"}
    start = jax.jit(build("discriminator", **options).init)
    variables = start(jax.random.key(1), images, None)

    def logits(train, dropout, number):
        network = build("discriminator", **options, dropout=dropout)
        key = jax.random.key(number)
        return np.asarray(network.apply(variables, images, None, train=train, key=key)[0])

    assert not np.allclose(logits(True, 0.5, 2), logits(True, 0.5, 3))
    for train, dropout in ((True, 0.0), (False, 0.5)):
        np.testing.assert_array_equal(logits(train, dropout, 2), logits(train, dropout, 3))


@every_side
def test_options_that_no_network_can_have(side):
    for changes, message in (
        ({"width": 0}, "width must be 1 or more, not 0"),
        ({"depth": 0}, "depth must be 1 or more, not 0"),
        ({"depth": 101}, "depth must be 100 or less, not 101"),
        ({"normalization": "instance"}, "normalization must be one of batch, group, none"),
        ({"dtype": "float16"}, "dtype must be one of float32, bfloat16"),
        ({"orthogonal_weight": -1.0}, "orthogonal_weight must be 0 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            check_values(dataclasses.replace(SIDES[side][1](), **changes))


@every_family
def test_a_discriminator_with_outputs_is_an_encoder_and_a_generator_may_end_without_tanh(family):
    shape = SMALLEST[family]
    images = jnp.ones((2, *shape))
    encoder = make_discriminator(DiscriminatorOptions(family=family, width=4), shape, outputs=6)
    plain = make_discriminator(DiscriminatorOptions(family=family, width=4), shape)
    shapes = [
        jax.eval_shape(network.init, jax.random.key(0), images).params
        for network in (encoder, plain)
    ]
    codes = jax.eval_shape(
        lambda key: encoder.apply(encoder.init(key, images), images, train=True)[0],
        jax.random.key(0),
    )
    assert codes.shape == (2, 6)
    assert jax.tree.structure(shapes[0]) == jax.tree.structure(shapes[1])

    kind = "batch" if family == "biggan" else "none"
    options = GeneratorOptions(family=family, width=4, latent_size=4, normalization=kind)
    free = make_generator(options, shape, bounded=False)
    bounded = make_generator(options, shape)
    latents = 30 * jax.random.normal(jax.random.key(1), (2, 4))
    variables = jax.jit(free.init)(jax.random.key(0), latents)
    output = free.apply(variables, latents, train=False)[0]
    np.testing.assert_allclose(
        bounded.apply(variables, latents, train=False)[0], jnp.tanh(output), rtol=1e-6, atol=1e-7
    )
