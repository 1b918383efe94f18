"""Seeded drawings that look like dermoscopy, for running the pipeline where there are no photographs.

They show that the machinery works and nothing about medicine. Every file says of itself that it was drawn
(EXIF `Software`), so every artefact made from them can say so too.
"""
