"""Fits a detector of transformers to a release: RT-DETR, RT-DETR v2, RF-DETR or D-FINE.

    curate train --with "python docs/examples/train_detector.py --data {data} --out {out} --seed {seed}"

An example to copy and change. It needs `pip install accelerate` beside curate's extra autolabel. The images
are taken as they are: varying them (flips, crops, colors) pays where that keeps what the categories mean.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image


class Split(torch.utils.data.Dataset):
    """Images and boxes of one split of a COCO folder, as the model's own processor prepares them."""

    def __init__(self, data: Path, split: str, processor: Any) -> None:
        content = json.loads((data / f"annotations/instances_{split}.json").read_text(encoding="utf-8"))
        self._folder, self._processor, self._images = data / "images" / split, processor, content["images"]
        self.names = [one["name"] for one in sorted(content["categories"], key=lambda one: one["id"])]
        number = {one["id"]: self.names.index(one["name"]) for one in content["categories"]}
        self._objects: dict[int, list[dict[str, Any]]] = {one["id"]: [] for one in content["images"]}
        for one in content["annotations"]:
            box = {name: one[name] for name in ("bbox", "area", "iscrowd")}
            self._objects[one["image_id"]].append({**box, "category_id": number[one["category_id"]]})

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        entry = self._images[index]
        with Image.open(self._folder / entry["file_name"]) as opened:
            image = opened.convert("RGB")
        target = {"image_id": entry["id"], "annotations": self._objects[entry["id"]]}
        prepared = self._processor(images=image, annotations=target, return_tensors="pt")
        return {"pixel_values": prepared["pixel_values"][0], "labels": prepared["labels"][0]}


def together(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch; the processors of these models bring all images to one size."""
    return {
        "pixel_values": torch.stack([one["pixel_values"] for one in batch]),
        "labels": [dict(one["labels"]) for one in batch],
    }


def main() -> None:
    """Train; the weights with the lowest loss on the validation split stay, where there is one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="COCO, as curate train hands it over")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", default="PekingU/rtdetr_v2_r18vd", help="Hub id or folder to begin from")
    parser.add_argument("--epochs", type=float, default=40)
    parser.add_argument("--steps", type=int, default=-1, help="stop after so many, whatever --epochs says")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    transformers.set_seed(options.seed)
    processor = transformers.AutoImageProcessor.from_pretrained(options.base)
    training = Split(options.data, "train", processor)
    chosen_by = (options.data / "annotations/instances_validation.json").exists()
    model = transformers.AutoModelForObjectDetection.from_pretrained(
        options.base,
        id2label=dict(enumerate(training.names)),
        label2id={name: number for number, name in enumerate(training.names)},
        ignore_mismatched_sizes=True,  # the heads that name categories begin anew
    )
    with tempfile.TemporaryDirectory() as scratch:
        trainer = transformers.Trainer(
            model=model,
            args=transformers.TrainingArguments(
                output_dir=scratch,
                num_train_epochs=options.epochs,
                max_steps=options.steps,
                per_device_train_batch_size=options.batch_size,
                per_device_eval_batch_size=options.batch_size,
                learning_rate=options.rate,
                weight_decay=1e-4,
                max_grad_norm=0.1,
                warmup_steps=50,
                seed=options.seed,
                eval_strategy="epoch" if chosen_by else "no",
                save_strategy="best" if chosen_by else "no",
                save_total_limit=1,
                metric_for_best_model="eval_loss" if chosen_by else None,
                greater_is_better=False if chosen_by else None,
                prediction_loss_only=True,
                remove_unused_columns=False,
                label_names=["labels"],
                logging_steps=10,
                report_to=[],
            ),
            train_dataset=training,
            eval_dataset=Split(options.data, "validation", processor) if chosen_by else None,
            data_collator=together,
        )
        trainer.train()
        best = trainer.state.best_model_checkpoint
        if best is not None:  # read anew: load_best_model_at_end looks for names that save_pretrained changes
            model = type(model).from_pretrained(best)
    model.save_pretrained(options.out)
    processor.save_pretrained(options.out)


if __name__ == "__main__":
    main()
