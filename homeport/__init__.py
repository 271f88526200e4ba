"""Homeport: one self-hosted portal for everything a person or a small team runs."""

__version__ = "0.1.0"
