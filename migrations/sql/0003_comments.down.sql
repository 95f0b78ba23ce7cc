-- Undoes 0003: the comments of 0001 and 0002 as they were.
COMMENT ON TYPE rrcm.run_kind IS NULL;
COMMENT ON TYPE rrcm.run_state IS NULL;
COMMENT ON TYPE rrcm.item_state IS NULL;
COMMENT ON TYPE rrcm.job_state IS NULL;
COMMENT ON TYPE rrcm.worker_state IS NULL;

COMMENT ON COLUMN rrcm.item.run_id IS 'Run';
COMMENT ON COLUMN rrcm.item.image_index IS 'Image';
COMMENT ON COLUMN rrcm.item.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.item.label IS 'True class';
COMMENT ON COLUMN rrcm.chunk_count.phase IS '0 selection, 1 estimation';
COMMENT ON COLUMN rrcm.chunk_count.chunk IS 'Chunk within the phase';
COMMENT ON COLUMN rrcm.job.state IS 'State';
COMMENT ON COLUMN rrcm.run_progress.state IS 'State';
COMMENT ON COLUMN rrcm.run_progress.priority IS 'Priority';
COMMENT ON COLUMN rrcm.worker_health.state IS 'State';
COMMENT ON COLUMN rrcm.worker_health.epoch IS 'Epoch';
COMMENT ON COLUMN rrcm.queue_depth.priority IS 'Priority';
