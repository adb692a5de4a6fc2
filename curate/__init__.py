"""Image-dataset curation and annotation: from raw images to a published, human-verified dataset.

`import curate` loads neither torch nor any server's SDK; those live behind `curate.adapters`.
"""

__version__ = "0.1.0"
