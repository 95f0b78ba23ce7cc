-- name: finish_job
-- Ends a job that made checkpoint $3, and its run, under the fence. The checkpoint is recorded in the same transaction.
WITH ended AS (
  UPDATE rrcm.job
     SET state = 'done',
         step = steps,
         checkpoint_digest = $3,
         worker_id = NULL,
         epoch = NULL,
         deadline_at = NULL,
         finished_at = now()
   WHERE job_id = $1
     AND run_lease = $2
     AND state = 'running'
  RETURNING run_id
)
SELECT rrcm.end_training(run_id) AS run_id
  FROM ended
