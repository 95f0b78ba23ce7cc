-- name: release_jobs
-- Hands back every training job of a worker's registration.
UPDATE rrcm.job
   SET state = 'queued',
       worker_id = NULL,
       epoch = NULL,
       deadline_at = NULL
 WHERE worker_id = $1
   AND epoch = $2
   AND state = 'running'
RETURNING job_id
