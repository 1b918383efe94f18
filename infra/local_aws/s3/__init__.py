"""Makes moto's S3 survive: written through to disk before a request is answered, reloaded at start.

What is kept: buckets with their configuration; every version of every object with body, ETag, metadata, times, tags,
encryption and checksums; delete markers. What is not: parts of uploads that were not completed, and ACLs.

Bodies then live on disk only, so the stand-in's memory does not grow with the data.
"""
