"""Kernelspecs, start-up hooks and magics."""
