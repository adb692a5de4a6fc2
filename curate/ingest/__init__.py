"""From sources of raw files to a ledger of what was seen, an image folder, and the table of images.

`sources` reads the user's list, `listing` names every place where a file lies, `ledger` remembers what was
found there, `plan` decides what has to be read, `examine` reads it in worker processes, `record` writes the
results down, `sweep` tidies the image folder, and `images_table` writes one row a distinct image.
"""
