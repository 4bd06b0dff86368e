"""The dock that makes a training: a form, what stands against it, and Start."""
