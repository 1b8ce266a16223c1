"""A derivative without its value, which may be taken once.

`slope_of(x)` is 0, with the derivative of x; the compiler leaves x itself out. Added to a value, it
gives that value another derivative, exact to first order and wrong beyond. Differentiating it
again, in whatever order of forward and reverse mode, is an error instead of a wrong number.
"""

from typing import Any

import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxgan.types import Array


def slope_of(x: Array, message: str) -> Array:
    """Zeros with the derivative of x, whose own derivative is refused.

    Args:
      x: a float array of any shape.
      message: what the error says.

    Raises:
      ValueError: where its derivative is differentiated, while that is traced.
    """
    return _value.bind(x, message=message)


# The derivative of `_value` is `_once(tangent, x)`, which is the tangent. Its second operand is
# there to be noticed: in reverse mode the tangent is transposed away, and x is what still depends
# on the variables of an outer differentiation.
_value, _once = Primitive("slope_of"), Primitive("slope_of_tangent")


def _differentiate(
    primals: tuple[Array], tangents: tuple[Any], *, message: str
) -> tuple[Array, Any]:
    (x,), (tangent,) = primals, tangents
    if type(tangent) is ad.Zero:
        return _value.bind(x, message=message), tangent
    return _value.bind(x, message=message), _once.bind(tangent, x, message=message)


def _refuse(primals: Any, tangents: Any, *, message: str) -> Any:
    raise ValueError(message)


def _transpose(cotangent: Any, tangent: Any, x: Array, *, message: str) -> tuple[Any, None]:
    if type(cotangent) is ad.Zero:
        return cotangent, None
    return _once.bind(cotangent, x, message=message), None


def _batch(primitive: Primitive) -> Any:
    def batch(operands: tuple, axes: tuple, *, message: str) -> tuple[Array, Any]:
        return primitive.bind(*operands, message=message), axes[0]

    return batch


def _zeros(x: Array, *, message: str) -> Array:
    return jnp.zeros_like(x)


for _primitive in (_value, _once):
    _primitive.def_abstract_eval(lambda x, *_, message: x)
    batching.primitive_batchers[_primitive] = _batch(_primitive)
_value.def_impl(_zeros)
mlir.register_lowering(_value, mlir.lower_fun(_zeros, multiple_results=False))
_once.def_impl(lambda tangent, _, message: tangent)
mlir.register_lowering(_once, lambda _, tangent, __, message: [tangent])
ad.primitive_jvps[_value] = _differentiate
ad.primitive_jvps[_once] = _refuse
ad.primitive_transposes[_once] = _transpose
