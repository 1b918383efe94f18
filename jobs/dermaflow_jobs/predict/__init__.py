"""Class probabilities and heat maps for image files, by one model or the mean of several. Not for clinical use."""
