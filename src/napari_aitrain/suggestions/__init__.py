"""What to label next: where a model is unsure, places that differ from each other, and whether asking pays."""
