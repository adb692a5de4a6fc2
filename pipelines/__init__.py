"""Entry points of the DVC stages: parse, wire adapters, call the stage, report.

`python -m pipelines.<stage>` from the project root; dvc.yaml does exactly that.
"""
