"""Arrow schemas of the tables of a restoration project, beside those of `curate.schema`."""

from __future__ import annotations

import pyarrow as pa

from curate.restoration.image_faults import FIGURES
from curate.schema import TableSchema, columns

_TEXT, _INT, _FLOAT = pa.string(), pa.int32(), pa.float32()

# One row per image and model: what upscaling made, or why it made nothing.
UPSCALED = TableSchema(
    name="upscaled",
    key=("model", "image_id"),
    written_by="upscale",
    arrow=columns(
        ("model", _TEXT, False),  # as params.yaml calls it
        ("image_id", _TEXT, False),
        ("source", _TEXT, False),  # the file that was upscaled
        ("source_sha256", _TEXT, True),  # of its bytes; null = it could not be read
        ("path", _TEXT, True),  # PNG; null = failed
        ("width", _INT, True),  # pixels of the result
        ("height", _INT, True),
        ("scale", _INT, True),  # of the model
        ("model_version", _TEXT, True),
        ("ran_on", _TEXT, True),  # device and precision, such as cuda bfloat16; null = failed
        ("model_license", _TEXT, False),  # of the weights; none = there are no weights
        ("outcome", _TEXT, False),  # upscaled | failed
        ("reason", _TEXT, True),  # unreadable | disappeared | too_large | out_of_memory | killed_worker
        ("detail", _TEXT, True),
    ),
)

# One row per pair of a clean image and what was made worse of it.
IMAGE_PAIRS = TableSchema(
    name="image_pairs",
    key=("pair_id",),
    written_by="pairs",
    arrow=columns(
        ("pair_id", _TEXT, False),  # deterministic: image, place, preset, seed
        ("image_id", _TEXT, False),  # of the images table
        ("hr_path", _TEXT, False),  # PNG, clean
        ("lr_path", _TEXT, False),  # PNG, `scale` times smaller and made worse
        ("x", _INT, False),  # where the clean one was cut, pixels of the image times `resized`
        ("y", _INT, False),
        ("width", _INT, False),  # of the clean one, pixels; a multiple of `scale`
        ("height", _INT, False),
        ("scale", _INT, False),
        ("resized", _FLOAT, False),  # what the image was resized by before it was cut; 1 = not
        ("preset", _TEXT, False),
        ("recipe", _TEXT, False),  # JSON list: every step with the values that were drawn
        ("seed", pa.int64(), False),
        ("hr_sha256", _TEXT, False),  # of the pixels
        ("lr_sha256", _TEXT, False),
        ("license", _TEXT, True),
        ("attribution", _TEXT, True),
        ("split", _TEXT, True),  # train | validation | test: of the image, never of the pair
    ),
)

# One row per kept image: its figures of technical quality, and what is wrong with it.
DIAGNOSED = TableSchema(
    name="diagnosed",
    key=("image_id",),
    written_by="diagnose",
    arrow=columns(
        ("image_id", _TEXT, False),  # of the images table
        ("path", _TEXT, False),  # its upright file
        *((name, _FLOAT, True) for name in FIGURES),  # null = not known
        ("faults", pa.list_(_TEXT), False),  # names of curate.restoration.image_faults
        ("unknown", pa.list_(_TEXT), False),  # figures that are looked at and not known
        ("words", _TEXT, False),  # what is wrong, for people
        ("bands", pa.map_(_TEXT, _TEXT), False),  # fault or figure, and where the image stands in it
    ),
)

# One row per result, metric and model.
MEASURED = TableSchema(
    name="measured",
    key=("model", "pair_id", "metric"),
    written_by="measure",
    arrow=columns(
        ("model", _TEXT, False),
        ("pair_id", _TEXT, False),
        ("metric", _TEXT, False),
        ("value", pa.float64(), True),  # null = not measured
        ("reason", _TEXT, True),  # why not
        ("color", _TEXT, False),  # what the metric looked at: y | rgb
        ("border", _INT, False),  # pixels that were cut from each side
    ),
)
