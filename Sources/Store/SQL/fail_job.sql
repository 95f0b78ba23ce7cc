-- name: fail_job
-- Counts a failed attempt, under the fence. After $4 of them the job and its run have failed; before that it is queued
-- again.
WITH holder AS MATERIALIZED (
  SELECT job_id,
         worker_id,
         epoch
    FROM rrcm.job
   WHERE job_id = $1
     AND run_lease = $2
     AND state = 'running'
     FOR NO KEY UPDATE
), ended AS (
  UPDATE rrcm.job j
     SET attempts = attempts + 1,
         error = $3,
         state = CASE WHEN attempts + 1 >= $4 THEN 'failed'::rrcm.job_state ELSE 'queued' END,
         finished_at = CASE WHEN attempts + 1 >= $4 THEN now() END,
         worker_id = NULL,
         epoch = NULL,
         deadline_at = NULL
    FROM holder
   WHERE j.job_id = holder.job_id
  RETURNING j.run_id, j.state, holder.worker_id AS holder_id, holder.epoch AS holder_epoch
), attempt AS (
  INSERT INTO rrcm.failed_attempt (run_id, worker_id, epoch, outcome, error)
  SELECT run_id, holder_id, holder_epoch, 'failed', $3
    FROM ended
)
SELECT run_id,
       state::text AS state,
       CASE WHEN state = 'failed' THEN rrcm.end_training(run_id) END AS ended
  FROM ended
