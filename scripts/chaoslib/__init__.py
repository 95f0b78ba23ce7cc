"""What scripts/chaos is made of: plan (pure), stage (machines and parts), faults (what goes wrong), verdict (what must hold)."""
