"""`make compose-check`: docker-compose.yml as a user has it, from the images' build to a restart that loses nothing."""
