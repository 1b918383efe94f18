"""New images scored by the champion, and how far they differ from what it learned from. Not for clinical use."""
