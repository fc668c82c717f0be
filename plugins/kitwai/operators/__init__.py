"""The three operators of a step: observe, decide, scale. One file each."""
