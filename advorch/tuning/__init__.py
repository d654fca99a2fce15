"""Sweeps: which values come next, which trials go on, which one wins."""
