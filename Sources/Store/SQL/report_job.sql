-- name: report_job
-- Progress under the fence: moves the deadline on. No row back means the job has a new holder: stop.
UPDATE rrcm.job
   SET step = $3,
       deadline_at = now() + make_interval(secs => $4)
 WHERE job_id = $1
   AND run_lease = $2
   AND state = 'running'
RETURNING job_id
