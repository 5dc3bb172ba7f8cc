"""The journal of a run: what happened, in order. Every check and report is a function of it."""
