"""The stage autolabel against the plain loop; its memory; what batches do to accuracy.

`make bench-autolabel`
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks import autolabel_inputs, autolabel_loop, autolabel_stage, autolabel_work, process_cost, result
from benchmarks.result import Target, figure

NAME = "autolabel"
COMMAND = "make bench-autolabel"
IMAGES = 2 if result.quick() else 6
SIZE = (1066, 800)  # pixels, width and height
SMALL = (20, 60) if result.quick() else (500, 5_000)  # images
SMALL_SIZE = (160, 120)
SCENES = 16 if result.quick() else 200
GIB = 1 << 30
_DEVICE = "auto"
INTRO = """## Auto-labelling

Grounding DINO SwinT and SAM vit_b at full size with **random weights** (time does not depend on them), both
in float32 on a processor, {images} images of {width} x {height} pixels from JPEG files, on
{device_name}. The *plain loop* is what scripts do today: one image at a time, groundingdino's `predict`,
then `SamPredictor.set_image` and `predict` box by box. The *stage* writes its table, with masks cleaned and
encoded. Scores of random weights mean nothing: each side has the threshold that leaves {boxes} boxes an
image on average before doubles are dropped ({loop_boxes:.1f} and {stage_boxes:.1f} were drawn). Time counts
from when the models are loaded.

"""
NO_GPU = (
    "No GPU was at hand when this was measured: the goals of 4x the plain loop and of 85% busy are open.\n\n"
)


def measure() -> None:
    """Time both, then memory at two sizes, then accuracy by size of batch."""
    with tempfile.TemporaryDirectory() as folder:
        weights, images = f"{folder}/weights", f"{folder}/images"
        process_cost.call(autolabel_inputs.make_weights, memory=False, folder=weights)
        process_cost.call(
            autolabel_inputs.make_images,
            memory=False,
            folder=images,
            number=IMAGES,
            width=SIZE[0],
            height=SIZE[1],
        )
        _, work = process_cost.call(autolabel_work.calibrate, memory=False, **_inputs(images, weights))
        rows = _against_the_loop(images, weights, work["threshold"])
        _, decoding = process_cost.call(autolabel_work.decoders, memory=False, images=images, number=IMAGES)
        content: dict[str, Any] = {
            **work,
            "images": IMAGES,
            "size": SIZE,
            "rows": rows,
            "decoding": decoding,
            "memory": _memory(folder),
            "accuracy": _accuracy(),
        }
    floor = work["operations"] / work["operations_s"]
    content["floor_s"] = floor
    content["floor_share"] = floor / rows["stage"]["image_s"]
    result.save(
        NAME,
        {**content, "versions": result.versions("torch", "transformers", "groundingdino-py")},
        command=COMMAND,
        targets=_targets(content),
    )


def _against_the_loop(images: str, weights: str, threshold: float) -> dict[str, Any]:
    inputs = _inputs(images, weights)
    _, of_loop = process_cost.call(autolabel_loop.calibrate, memory=False, **inputs)
    sides: dict[str, tuple[Callable[..., Any], float]] = {
        "plain loop": (autolabel_loop.plain_loop, of_loop["threshold"]),
        "stage": (autolabel_stage.stage, threshold),
    }
    rows = {}
    for name, (function, min_score) in sides.items():
        cost, answer = process_cost.call(function, **inputs, threshold=min_score)
        rows[name] = {
            **answer,
            "image_s": answer["seconds"] / IMAGES,
            "cpu_s": cost.cpu_s,
            "peak_bytes": cost.peak_bytes,
        }
    return rows


def _inputs(images: str, weights: str) -> dict[str, Any]:
    return {"images": images, "weights": weights, "number": IMAGES, "device": _DEVICE}


def _memory(folder: str) -> list[dict[str, Any]]:
    """The first row is that of the models and one shard."""
    images = f"{folder}/small"
    process_cost.call(
        autolabel_inputs.make_images,
        memory=False,
        folder=images,
        number=SMALL[-1],
        width=SMALL_SIZE[0],
        height=SMALL_SIZE[1],
    )
    rows = []
    for number in (8, *SMALL):
        cost, answer = process_cost.call(autolabel_stage.small_stage, images=images, number=number)
        rows.append(
            {
                "images": number,
                "peak_bytes": cost.peak_bytes,
                "own_bytes": cost.peak_own_bytes,
                "seconds": answer["seconds"],
                "workers": answer["workers"],
            }
        )
    return rows


def _accuracy() -> list[dict[str, Any]]:
    rows = []
    for batch_size in (1, 8):
        _, answer = process_cost.call(
            autolabel_work.accuracy, memory=False, images=SCENES, batch_size=batch_size
        )
        rows.append({"batch_size": batch_size, **answer})
    return rows


def _targets(content: dict[str, Any]) -> list[Target]:
    rows, memory, accuracy = content["rows"], content["memory"], content["accuracy"]
    speed = rows["plain loop"]["image_s"] / rows["stage"]["image_s"]
    on_gpu = content["device_name"] != "the processor"
    above = (memory[-1]["peak_bytes"] - memory[0]["peak_bytes"]) / GIB
    moved = max(abs(row[key] - accuracy[0][key]) for row in accuracy for key in ("f1", "mask_iou"))
    return [
        Target("images per second against the plain loop", 4.0 if on_gpu else 1.3, speed, "x"),
        Target(
            f"memory of {memory[-1]['images']:,} images above that of {memory[0]['images']}",
            2.0,
            above,
            "GiB",
            at_most=True,
        ),
        Target("F1 or mask IoU moved by batches", 0.5, moved, "points", at_most=True),
    ]


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows, width_height = content["rows"], content["size"]
    intro = INTRO.format(
        images=content["images"],
        width=width_height[0],
        height=width_height[1],
        device_name=content["device_name"],
        boxes=autolabel_stage.BOXES,
        loop_boxes=content["rows"]["plain loop"]["boxes"] / content["images"],
        stage_boxes=content["rows"]["stage"]["boxes"] / content["images"],
    )
    return "\n".join(
        [
            intro + (NO_GPU if content["device_name"] == "the processor" else "") + _speed_table(rows),
            _floor_text(content),
            _memory_table(content["memory"]),
            _accuracy_table(content["accuracy"]),
            result.target_table(result.targets(content)),
            result.footer(content),
        ]
    )


def _speed_table(rows: dict[str, Any]) -> str:
    header = ["", "s per image", "images/min", "processor s", "peak memory", "boxes"]
    lines = [
        [
            name,
            figure(row["image_s"]),
            figure(60 / row["image_s"]),
            figure(row["cpu_s"]),
            f"{row['peak_bytes'] / GIB:.1f} GiB",
            str(row["boxes"]),
        ]
        for name, row in rows.items()
    ]
    return result.table(header, lines, numbers=5)


def _floor_text(content: dict[str, Any]) -> str:
    rates = content["decoding"]
    return (
        f"An image takes {content['operations'] / 1e12:.2f} tera-operations of products of matrices and "
        f"convolutions; at the {content['operations_s'] / 1e9:,.0f} giga-operations per second that a "
        f"product of 4,096 x 4,096 matrices reaches here, that is {content['floor_s']:.1f} s: the stage "
        f"reaches {100 * content['floor_share']:.0f}% of this floor. Decoding ahead: "
        f"{rates['threads']:.0f} images/s by "
        f"two threads, {rates['processes']:.0f} by two processes that hand the pixels over.\n"
    )


def _memory_table(memory: list[dict[str, Any]]) -> str:
    lines = [
        [
            f"{row['images']:,}",
            f"{row['peak_bytes'] / GIB:.2f} GiB",
            f"{row['own_bytes'] / GIB:.2f} GiB",
            figure(row["images"] / row["seconds"]),
        ]
        for row in memory
    ]
    text = "The demo's models, {workers} workers; *peak* is over all processes together.\n\n"
    table = result.table(["images", "peak", "without mapped files", "images/s"], lines, numbers=4)
    return text.format(workers=memory[-1]["workers"]) + table


def _accuracy_table(accuracy: list[dict[str, Any]]) -> str:
    lines = [
        [
            str(row["batch_size"]),
            *(f"{row[key]:.2f}" for key in ("precision", "recall", "f1", "mask_iou")),
            str(row["boxes"]),
        ]
        for row in accuracy
    ]
    header = ["batch", "precision", "recall", "F1", "mask IoU", "boxes"]
    text = f"The demo's models on {accuracy[0]['images']} held-out scenes, in percent.\n\n"
    return text + result.table(header, lines, numbers=6)


if __name__ == "__main__":
    measure()
