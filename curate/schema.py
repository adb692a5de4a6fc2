"""Arrow schemas of the tables that flow between stages, and their version.

A change to any schema raises `SCHEMA_VERSION`; `tables.read` then refuses older files with the stage to
run again. Every table's key columns order its rows and are unique.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = "7"


@dataclass(frozen=True, slots=True)
class TableSchema:
    """Name, key and columns of one table.

    Attributes:
        name: What `tables.read` calls it in messages; stored in the Parquet metadata.
        key: Columns that identify a row, in sort order.
        arrow: The columns with their types.
        written_by: Stages that write such a table: "rerun" advice in messages.
    """

    name: str
    key: tuple[str, ...]
    arrow: pa.Schema
    written_by: str


def columns(*fields: tuple[str, pa.DataType, bool]) -> pa.Schema:
    """A schema from columns: name, type, and whether it may be null."""
    return pa.schema([pa.field(name, kind, nullable=nullable) for name, kind, nullable in fields])


_TEXT, _INT, _FLOAT = pa.string(), pa.int32(), pa.float32()
_CHOSEN = pa.map_(pa.string(), pa.list_(pa.string()))  # what was chosen, by question
BOX = pa.list_(pa.float32(), 4)
# Of `curate.images.quality_figures`; the last two are of `curate.dedupe.color_figures`.
QUALITY = pa.struct(
    [
        (name, pa.float32())
        for name in (
            "noise", "blur", "log_laplacian", "jpeg_quality", "blockiness", "shadows", "highlights",
            "entropy", "letterbox", "pillarbox", "bandwidth", "color_cast", "colorfulness",
        )
    ]
)  # fmt: skip

IMAGES = TableSchema(
    name="images",
    key=("image_id",),
    written_by="ingest or dedupe",
    arrow=columns(
        ("image_id", _TEXT, False),  # sha256 of the source bytes, hex
        ("path", _TEXT, True),  # upright RGB file, relative to the project root; null if dropped by ingest
        # of that file's bytes, hex, where ingest wrote others than the source's; null = the source's own. So
        # pixels that change under an image_id change the table, and every stage after it runs again.
        ("upright_sha256", _TEXT, True),
        ("sources", pa.list_(_TEXT), False),  # every place the bytes were found: "<source name>/<path>"
        ("format", _TEXT, True),  # Pillow's name: JPEG, PNG, ...
        ("width", _INT, True),  # upright pixels
        ("height", _INT, True),
        ("bytes", pa.int64(), False),  # of the source file
        ("exif_orientation", pa.int8(), True),  # 1..8
        ("captured_at", _TEXT, True),  # EXIF DateTimeOriginal, ISO 8601, camera's local time
        ("license", _TEXT, True),
        ("attribution", _TEXT, True),
        ("attributes", pa.map_(_TEXT, _TEXT), False),  # from the sidecar; never GPS
        ("brightness", _FLOAT, True),  # mean luma, 0..255
        ("contrast", _FLOAT, True),  # standard deviation of luma
        ("sharpness", _FLOAT, True),  # variance of the Laplacian of luma
        ("quality", QUALITY, True),  # figures by name; null where nothing was decoded
        ("phash", pa.uint64(), True),  # 64-bit pHash, whatever hash finds candidates; null before dedupe
        ("dup_group", _TEXT, True),  # image_id of the group's keeper; null outside any group
        ("duplicate_of", _TEXT, True),  # image_id of the keeper this row was dropped for
        ("dup_hamming", pa.int16(), True),  # bits to the keeper, of the candidate hash
        ("dup_correlation", _FLOAT, True),  # to the keeper after alignment, -1..1
        ("dup_relation", _TEXT, True),  # how it shows that image: same | mirrored | cropped | variant | ...
        (
            "variant_of",
            _TEXT,
            True,
        ),  # image_id of the image whose variant this kept one is; one split for both
        ("drop_reason", _TEXT, True),  # null = kept
        ("drop_detail", _TEXT, True),
        ("split", _TEXT, True),  # train | validation | test
    ),
)

ANNOTATIONS = TableSchema(
    name="annotations",
    key=("annotation_id",),
    written_by="autolabel, pull or agreement",
    arrow=columns(
        ("annotation_id", _TEXT, False),  # deterministic
        ("image_id", _TEXT, False),
        ("origin", _TEXT, False),  # model | human | consensus | gold
        ("annotator_id", _TEXT, True),
        ("category", _TEXT, True),  # null only where there is no object
        ("bbox_xyxy", BOX, True),  # upright pixels
        ("rle", _TEXT, True),  # COCO compressed counts; null = box only
        ("polygon", _TEXT, True),  # as drawn: JSON list of rings [x1, y1, x2, y2, ...], upright pixels
        ("score", _FLOAT, True),  # a model's, 0..1
        ("prompt", _TEXT, True),
        ("model_version", _TEXT, True),
        ("parent_id", _TEXT, True),  # annotation_id of the pre-annotation that this was edited from
        ("task_id", _TEXT, True),  # the key of the task, never the server's number
        ("lead_time_s", _FLOAT, True),
        ("created_at", _TEXT, True),  # from the server, ISO 8601 UTC
        ("updated_at", _TEXT, True),  # from the server, ISO 8601 UTC
        (
            "outcome",
            _TEXT,
            False,
        ),  # object | empty (nothing there) | skipped | unreadable | rejected | failed | disputed
        ("reject_reason", _TEXT, True),  # why no suggestion, why not looked at, what is disputed
        ("taxonomy_digest", _TEXT, True),  # of the taxonomy that the row was made with; null = not known
        ("guideline_digest", _TEXT, True),  # of the guideline that the labeler was shown; null = not known
        ("attributes", _CHOSEN, True),  # what was chosen of the object, by question; null or empty = nothing
    ),
)

PLAN = TableSchema(
    name="plan",
    key=("task_id", "slot"),
    written_by="select",
    arrow=columns(
        ("task_id", _TEXT, False),  # idempotency key of the task
        ("slot", _INT, False),  # 0 .. overlap-1: one row per labeler who must look
        ("image_id", _TEXT, False),
        # gold | control | audit | asked | uncertain | rare | review | overlap | accepted
        ("reason", _TEXT, False),
        ("detail", _TEXT, True),  # why, in words: such as "score 0.31, threshold 0.30"
        ("arm", _TEXT, False),  # suggested | control (no pre-annotations) | accepted (nobody looks)
        ("priority", _INT, False),  # place in the queue, 0 first; the same for all slots of a task
        ("labeler", _TEXT, True),  # blind: strict only: whose project the slot is in
        ("seeded_kind", _TEXT, True),  # planted error: moved | category | missing | spurious; null = none
        ("seeded_id", _TEXT, True),  # annotation_id of the suggestion that carries it
    ),
)

ANSWERS = TableSchema(
    name="answers",
    key=("answer_id",),
    written_by="pull",
    arrow=columns(
        ("answer_id", _TEXT, False),  # deterministic: task, labeler, time of creation
        ("task_id", _TEXT, False),
        ("image_id", _TEXT, False),
        ("annotator_id", _TEXT, False),
        ("outcome", _TEXT, False),  # submitted | skipped | unreadable | unattended (no page) | draft
        ("superseded", pa.bool_(), False),  # the same labeler answered the task again later
        ("objects", _INT, False),  # rows of outcome "object" in annotations
        ("created_at", _TEXT, True),  # from the server, ISO 8601 UTC
        ("updated_at", _TEXT, True),
        ("lead_time_s", _FLOAT, True),  # as the server has it; qa/timing.py corrects it
        ("model_version", _TEXT, True),  # of the pre-annotation that the answer began from
        ("choices", _CHOSEN, False),  # image-level answers by control
        ("comment", _TEXT, True),  # comments and the reason of a skip, where the server has them
        (
            "raw",
            _TEXT,
            True,
        ),  # JSON list of regions that no rule reads, or of all; null = none
        ("taxonomy_digest", _TEXT, True),
        ("guideline_digest", _TEXT, True),
        ("shown_id", _TEXT, True),  # the row of `shown` that the answer was begun under; null = not known
        ("not_joined", _TEXT, True),  # why `shown_id` is null
    ),
)

# What was put before people: append-only, one part a push that changed something. Read by `curate.shown`.
SHOWN = TableSchema(
    name="shown",
    key=("shown_id",),
    written_by="push",
    arrow=columns(
        ("shown_id", _TEXT, False),  # deterministic: part, task, labeler
        ("task_id", _TEXT, False),
        ("image_id", _TEXT, False),
        ("labeler", _TEXT, True),  # blind: strict only: in whose project
        ("since", _TEXT, False),  # the server's time just before it was sent, ISO 8601 UTC
        ("reason", _TEXT, False),  # of the plan then
        ("arm", _TEXT, False),  # suggested | control
        ("suggestions_digest", _TEXT, True),  # of what was shown; null = nothing
        ("proposed_digest", _TEXT, True),  # of what models proposed then, shown or not; null = nothing
        ("model_version", _TEXT, True),  # of what models proposed then; several are joined by "+"
        ("guideline_digest", _TEXT, True),  # null = there was none
        ("taxonomy_digest", _TEXT, True),
        ("seeded_kind", _TEXT, True),  # planted error: moved | category | missing | spurious; null = none
        ("seeded_id", _TEXT, True),  # annotation_id of the suggestion that carried it, or was left out
        ("wrong_xyxy", BOX, True),  # as shown; null for missing
        ("wrong_category", _TEXT, True),
        ("right_xyxy", BOX, True),  # as the model proposed it; null for spurious
        ("right_category", _TEXT, True),
    ),
)

SHOWN_SUGGESTIONS = TableSchema(
    name="shown_suggestions",
    key=("suggestions_digest", "annotation_id"),
    written_by="push",
    arrow=columns(
        ("suggestions_digest", _TEXT, False),
        ("annotation_id", _TEXT, False),
        ("category", _TEXT, False),
        ("bbox_xyxy", BOX, False),  # upright pixels
        ("rle", _TEXT, True),  # COCO compressed counts
        ("score", _FLOAT, True),
        ("model_version", _TEXT, True),
        (
            "polygon",
            _TEXT,
            True,
        ),  # as in `annotations`; the page shows the box and the mask of such an object
        ("attributes", _CHOSEN, True),  # as in `annotations`; null = nothing
    ),
)

SHOWN_OUTCOMES = TableSchema(
    name="shown_outcomes",
    key=("shown_id",),
    written_by="push",
    arrow=columns(
        ("shown_id", _TEXT, False),
        ("reached", pa.bool_(), False),  # false = the push was ended before the server had it
        ("at", _TEXT, False),  # the server's time when that was known
    ),
)

SHOWN_RENAMES = TableSchema(
    name="shown_renames",
    key=("before", "annotation_id"),
    written_by="curate taxonomy migrate",
    arrow=columns(
        ("before", _TEXT, False),  # category as it was shown in earlier parts
        ("annotation_id", _TEXT, False),  # of one suggestion; "" = of all others of that name
        ("after", _TEXT, False),
    ),
)

PAIRS = TableSchema(
    name="pairs",
    key=("image_id", "annotator_a", "annotator_b", "pair_index"),
    written_by="agreement",
    arrow=columns(
        ("image_id", _TEXT, False),
        ("annotator_a", _TEXT, False),  # annotator_a < annotator_b
        ("annotator_b", _TEXT, False),
        ("pair_index", _INT, False),
        ("annotation_a", _TEXT, True),  # null = only b drew it
        ("annotation_b", _TEXT, True),
        ("category_a", _TEXT, True),
        ("category_b", _TEXT, True),
        ("box_iou", _FLOAT, True),  # null where unmatched
        ("mask_iou", _FLOAT, True),  # null where unmatched or a mask is missing
    ),
)

# What the consensus rests on: every object that anybody drew, and one row for an image where nothing is.
CONSENSUS_OBJECTS = TableSchema(
    name="consensus_objects",
    key=("annotation_id",),
    written_by="agreement",
    arrow=columns(
        ("annotation_id", _TEXT, False),  # of the row in the consensus, where there is one
        ("image_id", _TEXT, False),
        (
            "outcome",
            _TEXT,
            False,
        ),  # object | disputed | absent (most did not draw it) | empty (nothing there)
        ("reject_reason", _TEXT, True),  # what is disputed: presence | category | mask
        ("category", _TEXT, True),
        ("bbox_xyxy", BOX, True),  # upright pixels
        ("rle", _TEXT, True),  # COCO compressed counts
        ("confidence", _FLOAT, True),  # that the outcome is right, 0..1; null = nobody's work can be compared
        ("votes", _INT, False),  # people who drew it, or saw nothing
        ("annotators", _INT, False),  # people who looked
        ("made_from", pa.list_(_TEXT), False),  # annotation_ids of what people drew
        ("attributes", _CHOSEN, True),  # what people agree on of the object, by question
        ("attributes_confidence", pa.map_(_TEXT, _FLOAT), True),  # of each, 0..1
        ("disputed_attributes", pa.list_(_TEXT), True),  # questions on which they do not agree
    ),
)

CONSENSUS_IMAGES = TableSchema(
    name="consensus_images",
    key=("image_id",),
    written_by="agreement",
    arrow=columns(
        ("image_id", _TEXT, False),
        ("annotators", _INT, False),  # people who looked; 0 = accepted without a human, or skipped by all
        ("confidence", _FLOAT, True),  # that its objects are right and none is missing, 0..1
        ("review", _TEXT, True),  # why somebody must look again; null = nobody must
        ("held_back", pa.bool_(), False),  # true = not in the consensus
        ("decided", pa.bool_(), False),  # true = by adjudication: its objects are one person's decision
        ("answers", _CHOSEN, False),  # image-level answers by control
        ("answers_confidence", pa.map_(_TEXT, _FLOAT), False),  # of each, 0..1
    ),
)
