"""The dialog of remote models: where they answer, in which form, with which key, and what their outputs mean."""
