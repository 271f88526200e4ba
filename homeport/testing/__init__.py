"""Fakes that keep a seam's contract, for tests of what stands above the seam."""
