"""The worker and its jobs, as the window sees them: `center` without widgets, `dock` with."""
