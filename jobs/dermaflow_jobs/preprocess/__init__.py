"""Step `preprocess`: images under raw/ become a dataset of TFRecord shards, every one of them accounted for.

listing     keys → images of this run, and what is quarantined by its name alone
worker      decodes a chunk of images in an executor into a pack: records and thumbnails, kept by content
duplicates  which images show the same photograph
split       who goes where, so that nothing straddles
shards      packs → one file per class, split and 128 MB, in executors
job         the Spark shell that calls these; dataset.json is written last
"""
