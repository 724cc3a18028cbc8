"""Files in the folders that the operator lets flows use."""
