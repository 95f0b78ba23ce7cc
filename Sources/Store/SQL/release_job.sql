-- name: release_job
-- Hands a job back, for example on drain. Nothing happens under an old fence.
UPDATE rrcm.job
   SET state = 'queued',
       worker_id = NULL,
       epoch = NULL,
       deadline_at = NULL
 WHERE job_id = $1
   AND run_lease = $2
   AND state = 'running'
RETURNING job_id
