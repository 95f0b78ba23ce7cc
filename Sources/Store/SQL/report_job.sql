-- name: report_job
-- Progress under the fence: moves the deadline on. No row back means the job has a new holder or was
-- cancelled: stop. A paused run's job is to be stored and handed back.
UPDATE rrcm.job j
   SET step = $3,
       deadline_at = now() + make_interval(secs => $4)
  FROM rrcm.run r
 WHERE j.job_id = $1
   AND j.run_lease = $2
   AND j.state = 'running'
   AND r.run_id = j.run_id
RETURNING r.paused_at IS NOT NULL AS paused
