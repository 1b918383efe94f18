"""What every job shares: S3, errors, progress, the Spark session, and the frame a step runs in."""
