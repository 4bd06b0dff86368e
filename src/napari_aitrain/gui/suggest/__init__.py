"""The Label next dock: what to label next, and whether asking the model pays."""
