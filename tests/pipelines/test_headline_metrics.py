from __future__ import annotations

from curate_pipelines import headline_metrics


def test_columns_take_nested_values_and_round_them() -> None:
    metrics = {"counts": {"consensus_objects": 7}, "f1": {"value": 0.123456}, "kappa": {"value": None}}
    row = headline_metrics.of("agreement", metrics)
    assert row["objects"] == 7
    assert row["f1"] == 0.1235
    assert row["kappa"] is None
    assert row["box_iou"] is None


def test_the_table_stays_narrow_enough_to_read() -> None:
    columns = {column for row in headline_metrics.COLUMNS.values() for column in row}
    assert sum(len(column) + 4 for column in columns) + len("metrics/headline/autolabel.json") < 150
