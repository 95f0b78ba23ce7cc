-- name: claim_job
-- Takes the training job of run $1 and raises its fence. No row back means somebody else has it, or the worker is in quarantine.
WITH chosen AS MATERIALIZED (
  SELECT j.job_id
    FROM rrcm.job j
    JOIN rrcm.run r USING (run_id)
   WHERE j.run_id = $1
     AND j.state = 'queued'
     AND r.state = 'running'
     AND r.paused_at IS NULL
     FOR UPDATE OF j SKIP LOCKED
)
UPDATE rrcm.job j
   SET state = 'running',
       run_lease = j.run_lease + 1,
       worker_id = w.worker_id,
       epoch = w.epoch,
       deadline_at = now() + make_interval(secs => $4)
  FROM chosen, rrcm.worker w
 WHERE j.job_id = chosen.job_id
   AND w.worker_id = $2
   AND w.epoch = $3
   AND w.state = 'live'
   AND w.quarantined_at IS NULL
RETURNING j.job_id, j.run_lease, j.steps, j.snapshot_digest, j.snapshot_step, j.attempts
