"""Conditions on columns: against plain Python on the same rows, and what is refused."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import table_expression
from curate.table_expression import ExpressionError

ROWS: list[dict[str, Any]] = [
    {"width": 10, "name": "a", "quality": {"blur": 0.1}, "attributes": [("camera", "phone")], "flag": True},
    {"width": 20, "name": "b", "quality": {"blur": 0.7}, "attributes": [("camera", "rig")], "flag": False},
    {"width": 30, "name": None, "quality": None, "attributes": [], "flag": None},
]
TABLE = pa.Table.from_pylist(
    ROWS,
    schema=pa.schema(
        [
            ("width", pa.int32()),
            ("name", pa.string()),
            ("quality", pa.struct([("blur", pa.float32())])),
            ("attributes", pa.map_(pa.string(), pa.string())),
            ("flag", pa.bool_()),
        ]
    ),
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("width < 20", [1, 0, 0]),
        ("10 < width <= 30", [0, 1, 1]),
        ("width + 10 == 2 * width", [1, 0, 0]),
        ("width / 4 > 4 and width - 5 < 20", [0, 1, 0]),
        ("quality.blur > 0.5", [0, 1, 0]),
        ("not quality.blur > 0.5", [1, 0, 0]),  # what is not known does not hold
        ("not (quality.blur > 0.5) or width == 30", [1, 0, 1]),
        ("name == None", [0, 0, 1]),
        ("name is not None", [1, 1, 0]),
        ('name in ("b", "c")', [0, 1, 0]),
        ('name not in ["b"]', [1, 0, 0]),
        ('not (name in ("b",))', [1, 0, 0]),
        ('name in ("b", None)', [0, 1, 1]),  # a list that names None speaks of what is not known
        ("width in (-10, 20)", [0, 1, 0]),
        ("-width in (-10, 20)", [1, 0, 0]),
        ("width / 20 > 1.2", [0, 0, 1]),
        ("width / 20 == 0.5", [1, 0, 0]),
        ("1 / (width - 10) >= 0 or width == 20", [0, 1, 1]),  # a division by zero is not known
        ("not 1 / (width - 10) >= 0", [0, 0, 0]),
        ('attributes.camera == "phone"', [1, 0, 0]),
        ("flag", [1, 0, 0]),
        ("not flag", [0, 1, 0]),
        ("-width < -15", [0, 1, 1]),
    ],
)
def test_what_holds(text: str, wanted: list[int]) -> None:
    assert table_expression.parse(text).mask(TABLE).to_pylist() == [bool(one) for one in wanted]


def test_a_product_does_not_wrap_at_32_bits() -> None:
    size = pa.array([60000], pa.int32())
    assert table_expression.parse("width * height > 40000000").mask(
        pa.table({"width": size, "height": size})
    ).to_pylist() == [True]


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
    "!=": operator.ne,
}  # fmt: skip


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=30),
    st.sampled_from(sorted(OPERATORS)),
    st.integers(-50, 50),
    st.booleans(),
)
def test_comparisons_are_those_of_python(values: list[int], name: str, limit: int, negated: bool) -> None:
    text = f"value {name} {limit}"
    mask = table_expression.parse(f"not ({text})" if negated else text).mask(pa.table({"value": values}))
    assert mask.to_pylist() == [OPERATORS[name](value, limit) != negated for value in values]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os').system('x')", "is not allowed in a condition"),
        ("open('x')", "is not allowed in a condition"),
        ("[width for width in (1, 2)]", "is not allowed in a condition"),
        ("(lambda: 1)()", "is not allowed in a condition"),
        ("quality.__class__ == 1", "there is no __class__; there are blur"),
        ("width.blur > 1", "the column width has no parts"),
        ("widht > 1", "there is no widht: did you mean width?"),
        ("width > 'a'", "width > 'a'"),
        ("width", "is no condition: compare a column with something"),
        ("width in width", "after in stands a list"),
        ("width in (1, width)", "a list holds numbers or texts only"),
        ("width is 3", "is and is not are for None only"),
        ("1 < 2", "is no condition"),
        ("width > " + "9" * 30, "too large"),
        (f"width in (1, {'9' * 30})", "too"),
        ("width in (1, -name)", "a list holds numbers or texts only"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=r".") as caught:
        table_expression.parse(text).mask(TABLE)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["width >", "width = 3", "", "a" * 3000, "(" * 500])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        table_expression.parse(text)
