"""The REST service of a NACE model: checked input, typed errors, keys, logs, metrics.

It never imports the training code, and it never loads a pickle or code that came with a model.
"""
