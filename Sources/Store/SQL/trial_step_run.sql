-- name: trial_step_run
-- The run that a trial's step has at an attempt.
SELECT run_id
  FROM rrcm.trial_run
 WHERE trial_id = $1
   AND step = $2::rrcm.trial_step
   AND attempt = $3
