"""The deterministic shell: one workflow that runs every flow."""
