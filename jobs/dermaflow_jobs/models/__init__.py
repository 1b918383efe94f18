"""The networks, by name, as pure Keras 3: they run on any of Keras's backends. Files in and out in `saved`."""
