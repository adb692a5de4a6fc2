"""From sources of raw files to a ledger of what was seen, an image folder, and the table of images.

`sources` reads the user's list. `folder_source`, `list_source`, `url_source` and `archive_source` put every
place where a file lies into the `listing`; `ledger` remembers what was found there; `read_plan` decides what
has to be read; `worker` reads and decodes it in processes; `ledger_writer` writes the results down;
`image_store` holds the upright files; and `images_table` writes one row per distinct image.
"""
