"""Compose documents: read, resolved, judged by the policy. Pure: no files, no engine."""
