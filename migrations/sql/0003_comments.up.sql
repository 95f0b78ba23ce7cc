-- 0003 comments: what the states mean, and more words where a column's comment only repeated its name. Changes no data.

COMMENT ON TYPE rrcm.run_kind IS
  'What a run does: pretrain (encoder, without labels), finetune (a classifier), certify (image by image)';
COMMENT ON TYPE rrcm.run_state IS
  'submitted: not planned yet, or waits for another run; running: has items or a job; done, failed and cancelled are final';
COMMENT ON TYPE rrcm.item_state IS
  'open: units never claimed are left; claimed: none left, votes or certificate may be missing; certified: has its certificate or abstention; held: must not be certified, see error; cancelled: its run was';
COMMENT ON TYPE rrcm.job_state IS
  'queued: a worker may claim it, from the snapshot if there is one; running: held by a worker; done, failed (three attempts) and cancelled are final';
COMMENT ON TYPE rrcm.worker_state IS
  'live: beats; draining: finishes what it holds and claims no more, as rrcm worker drain asks; gone: stopped, or silent for too long';

COMMENT ON COLUMN rrcm.item.run_id IS 'Certification run the item belongs to';
COMMENT ON COLUMN rrcm.item.image_index IS 'Image: dataset_image.image_index in the run''s image set';
COMMENT ON COLUMN rrcm.item.sigma IS 'Noise level: standard deviation in the [0, 1] pixel range';
COMMENT ON COLUMN rrcm.item.label IS 'True class, copied from the image set when the run was planned';
COMMENT ON COLUMN rrcm.chunk_count.phase IS '0 selection (n0 samples pick the top class), 1 estimation (n samples bound its probability)';
COMMENT ON COLUMN rrcm.chunk_count.chunk IS
  'Chunk within the phase: estimation chunk k holds samples k·chunk_samples up to (k+1)·chunk_samples';
COMMENT ON COLUMN rrcm.job.state IS 'Where the training stands';
COMMENT ON COLUMN rrcm.run_progress.state IS 'State of the run; failed with held items when some must not be certified';
COMMENT ON COLUMN rrcm.run_progress.priority IS 'Higher is served first; equal ones in order of submission';
COMMENT ON COLUMN rrcm.worker_health.state IS 'live, draining, or gone: also when it was silent for too long';
COMMENT ON COLUMN rrcm.worker_health.epoch IS 'How often this name has registered; what an earlier epoch held is not its own any more';
COMMENT ON COLUMN rrcm.queue_depth.priority IS 'Higher is served first; equal ones in order of submission';
