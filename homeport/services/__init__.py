"""What runs: catalogue, sources, drivers, deployments, health, logs, exposure."""
