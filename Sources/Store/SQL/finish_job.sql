-- name: finish_job
-- Ends a job and its run, under the fence.
WITH ended AS (
  UPDATE rrcm.job
     SET state = 'done',
         step = steps,
         worker_id = NULL,
         epoch = NULL,
         deadline_at = NULL,
         finished_at = now()
   WHERE job_id = $1
     AND run_lease = $2
     AND state = 'running'
  RETURNING run_id
)
UPDATE rrcm.run r
   SET state = 'done',
       finished_at = now()
  FROM ended
 WHERE r.run_id = ended.run_id
RETURNING r.run_id
