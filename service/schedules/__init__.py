"""The schedules of flows, as Temporal Schedules."""
