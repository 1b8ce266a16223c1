"""Values that may be differentiated once: exact to first order, and wrong beyond.

`first_order(x)` is x, with the derivative of x. If that derivative is differentiated again, by
whatever order of forward and reverse mode, gets an error instead of a wrong number. In a compiled
program nothing is left of it.
"""

from typing import Any

from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxgan.types import Array


def first_order(x: Array, message: str) -> Array:
    """x, whose second derivative is refused.

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
_value, _once = Primitive("first_order"), Primitive("first_order_tangent")


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


for _primitive in (_value, _once):
    _primitive.def_impl(lambda x, *_, message: x)
    _primitive.def_abstract_eval(lambda x, *_, message: x)
    batching.primitive_batchers[_primitive] = _batch(_primitive)
    mlir.register_lowering(_primitive, lambda _, x, *__, message: [x])
ad.primitive_jvps[_value] = _differentiate
ad.primitive_jvps[_once] = _refuse
ad.primitive_transposes[_once] = _transpose
