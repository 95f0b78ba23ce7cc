-- name: save_snapshot
-- Names the state from which the job resumes, under the fence.
UPDATE rrcm.job
   SET snapshot_digest = $3,
       snapshot_step = $4,
       step = $4
 WHERE job_id = $1
   AND run_lease = $2
   AND state = 'running'
RETURNING job_id
