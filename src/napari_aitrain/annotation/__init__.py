"""What a person marks: boxes, their rules, and how boxes are split into roles."""
