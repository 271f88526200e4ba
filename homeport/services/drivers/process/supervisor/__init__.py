"""The program that stands beside each instance and outlives the portal. Standard library only, and little of that:
one of these runs for every app, so an import is paid for a hundred times.
"""
