"""Conditions on the columns of a table, as people write them, evaluated by Arrow: never by Python's `eval`.

The text is parsed by Python's own parser and only what stands in `_Evaluate` is taken: names of columns,
`a.b` for a part of a column, numbers, texts, `True`, `False`, `None`, comparisons, `in`, `and`, `or`, `not`,
and + - * /.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError


class ExpressionError(CurateError):
    """A condition that cannot be read, or does not fit the table."""


_UNKNOWN: Final = pa.scalar(None, pa.float64())  # what a division by zero gives
_COMPARE: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Lt: pc.less, ast.LtE: pc.less_equal, ast.Gt: pc.greater, ast.GtE: pc.greater_equal,
    ast.Eq: pc.equal, ast.NotEq: pc.not_equal,
}  # fmt: skip
_COMPUTE: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Add: pc.add, ast.Sub: pc.subtract, ast.Mult: pc.multiply,
    ast.Div: lambda left, right: pc.divide(left, pc.if_else(pc.equal(right, 0.0), _UNKNOWN, right)),
}  # fmt: skip
_LONGEST: Final = 2000  # characters of a condition


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read.

    Attributes:
        text: As it was written.
        tree: Its parts.
    """

    text: str
    tree: ast.expr

    @property
    def columns(self) -> set[str]:
        """Names of the columns that it asks for."""
        return {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}

    def mask(self, table: pa.Table) -> pa.Array:
        """Tell for each row whether the condition holds; what is not known does not hold.

        Args:
            table: Its columns; `name.part` is a field of a struct, or the value of a key of a map.

        Raises:
            ExpressionError: A column that is not there, or kinds that cannot be compared.
        """
        try:
            found = _Evaluate(table, self.text).value(self.tree)
        except (pa.ArrowException, OverflowError) as error:
            raise ExpressionError(f"{self.text!r}: {' '.join(str(error).split())}") from error
        if isinstance(found, pa.ChunkedArray):
            found = found.combine_chunks()
        if not isinstance(found, pa.Array) or not pa.types.is_boolean(found.type):
            raise ExpressionError(f"{self.text!r} is no condition: compare a column with something")
        return pc.fill_null(found, False)


def parse(text: str) -> Condition:
    """Parse a condition.

    Raises:
        ExpressionError: It is not one.

    Examples:
        >>> table = pa.table({"width": [10, 30], "quality": [{"blur": 0.2}, {"blur": 0.9}]})
        >>> parse("quality.blur > 0.5 and width in (20, 30)").mask(table).to_pylist()
        [False, True]
    """
    if len(text) > _LONGEST:
        raise ExpressionError(f"a condition of {len(text)} characters: {_LONGEST} are the most")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionError(f"{text!r} cannot be read: {reason}") from error
    return Condition(text, tree)


@dataclass(frozen=True, slots=True)
class _Evaluate:
    table: pa.Table
    text: str

    def value(self, node: ast.expr) -> Any:  # noqa: PLR0911 - one of each kind
        """Array or scalar of a part of the condition."""
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None):
                return pa.scalar(node.value)
            case ast.Name(id=name):
                return self._column(name)
            case ast.Attribute(value=ast.Name(id=name), attr=part):
                return self._part(name, part)
            case ast.BoolOp(op=op, values=values):
                join = pc.and_kleene if isinstance(op, ast.And) else pc.or_kleene
                found = self.value(values[0])
                for other in values[1:]:
                    found = join(found, self.value(other))
                return found
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return pc.invert(self.value(inner))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return pc.negate(_as_float(self.value(inner)))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMPUTE:
                return _COMPUTE[type(op)](_as_float(self.value(left)), _as_float(self.value(right)))
            case ast.Compare():
                return self._compare(node)
        raise ExpressionError(f"{self.text!r}: {ast.unparse(node)!r} is not allowed in a condition")

    def _compare(self, node: ast.Compare) -> Any:
        """A chain of comparisons, such as 1 < a <= 2."""
        left, found = self.value(node.left), None
        for op, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                held = _held(left, self._listed(other))
                one = held if isinstance(op, ast.In) else pc.invert(held)
            elif isinstance(op, ast.Is | ast.IsNot) or (
                isinstance(other, ast.Constant) and other.value is None
            ):
                if not (isinstance(other, ast.Constant) and other.value is None):
                    raise ExpressionError(f"{self.text!r}: is and is not are for None only")
                one = pc.is_null(left) if isinstance(op, ast.Is | ast.Eq) else pc.is_valid(left)
            else:
                one = _COMPARE[type(op)](left, self.value(other))
                left = self.value(other)
            found = one if found is None else pc.and_kleene(found, one)
        return found

    def _listed(self, node: ast.expr) -> Sequence[Any]:
        if not isinstance(node, ast.Tuple | ast.List | ast.Set):
            raise ExpressionError(f"{self.text!r}: after in stands a list, such as (1, 2)")
        return [self._constant(one) for one in node.elts]

    def _constant(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
        raise ExpressionError(f"{self.text!r}: a list holds numbers or texts only")

    def _column(self, name: str) -> pa.ChunkedArray:
        if name not in self.table.column_names:
            raise ExpressionError(f"{self.text!r}: {_unknown(name, self.table.column_names)}")
        return self.table[name]

    def _part(self, name: str, part: str) -> Any:
        column = self._column(name)
        if pa.types.is_map(column.type):
            return pc.map_lookup(column, part, "first")
        if not pa.types.is_struct(column.type):
            raise ExpressionError(f"{self.text!r}: the column {name} has no parts")
        parts = [field.name for field in column.type]
        if part not in parts:
            raise ExpressionError(f"{self.text!r}: {_unknown(part, parts)}")
        return pc.struct_field(column, part)


def _as_float(value: Any) -> Any:
    """Numbers are computed as in Python: no whole-number division, and nothing wraps at 32 bits."""
    if pa.types.is_integer(value.type) or pa.types.is_floating(value.type):
        return pc.cast(value, pa.float64(), safe=False)
    return value


def _held(left: Any, values: Sequence[Any]) -> Any:
    """Whether the list holds a value; not known of a null, unless the list names None."""
    held = pc.is_in(left, value_set=pa.array(values))
    return held if None in values else pc.if_else(pc.is_valid(left), held, pa.scalar(None, pa.bool_()))


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no {name}" + (
        f": did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
    )
