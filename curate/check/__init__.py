"""What is wrong with a data set that somebody already has: findings, each with its rows.

`dataset` opens it in any format, `image_findings` reads the tables of ingest and dedupe, `label_findings`
holds labels against images, `class_findings` counts objects by split; `documents` writes JSON and JUnit.
"""
